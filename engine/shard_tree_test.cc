#include "engine/shard_tree.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

TEST(ShardTreeTest, CutsAtTheLargestPowerOfTwoBelowTheSize) {
  EXPECT_EQ(ShardTreeMiddle({0, 2}), 1);
  EXPECT_EQ(ShardTreeMiddle({0, 8}), 4);
  EXPECT_EQ(ShardTreeMiddle({0, 6}), 4);
  EXPECT_EQ(ShardTreeMiddle({4, 7}), 6);
}

TEST(ShardTreeTest, CoverOfAnyRunIsDisjointAscendingAndComplete) {
  for (int shards = 1; shards <= 17; ++shards) {
    for (int first = 0; first <= shards; ++first) {
      for (int end = first; end <= shards; ++end) {
        int at = first;
        for (const ShardNode& node : ShardTreeCover(shards, {first, end})) {
          EXPECT_EQ(node.first, at);
          EXPECT_TRUE(IsShardTreeNode(shards, node));
          at = node.end;
        }
        EXPECT_EQ(at, end);
      }
    }
  }
}

TEST(ShardTreeTest, SiblingsShareAParent) {
  for (int shards = 1; shards <= 17; ++shards) {
    for (int first = 0; first < shards; ++first) {
      for (int end = first + 1; end <= shards; ++end) {
        const ShardNode node{first, end};
        if (!IsShardTreeNode(shards, node)) continue;
        const auto sibling = ShardTreeSibling(shards, node);
        EXPECT_EQ(sibling.has_value(), node.size() < shards);
        if (!sibling) continue;
        const ShardNode parent{std::min(first, sibling->first), std::max(end, sibling->end)};
        EXPECT_TRUE(IsShardTreeNode(shards, parent));
        EXPECT_EQ(ShardTreeMiddle(parent), std::max(first, sibling->first));
        EXPECT_EQ(ShardTreeSibling(shards, *sibling), node);
      }
    }
  }
}

TEST(ShardTreeTest, RunsThatAreNoNodesAreRefused) {
  EXPECT_FALSE(IsShardTreeNode(8, {1, 3}));
  EXPECT_FALSE(IsShardTreeNode(8, {0, 3}));
  EXPECT_FALSE(IsShardTreeNode(8, {0, 9}));
  EXPECT_FALSE(IsShardTreeNode(8, {3, 3}));
  EXPECT_FALSE(IsShardTreeNode(8, {-1, 1}));
}

TEST(ShardTreeTest, ShardsShareOutTheExamplesInOrder) {
  EXPECT_EQ(ShardBegin(0, 8, 5), 0);
  EXPECT_EQ(ShardBegin(8, 8, 5), 5);
  EXPECT_EQ(ShardBegin(1, 8, 128), 16);
  EXPECT_EQ(ShardBegin(3, 8, int64_t{1} << 62), (int64_t{1} << 62) / 8 * 3);
}

}  // namespace
}  // namespace lockstep
