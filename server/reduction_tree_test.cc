#include "server/reduction_tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <vector>

namespace lockstep::server {
namespace {

struct AddFloats {
  void operator()(float& into, float&& other) const { into += other; }
};
using FloatTree = ReductionTree<float, AddFloats>;

// The tree's value by its definition.
float Expected(const std::vector<float>& shards, ShardNode node) {
  if (node.size() == 1) return shards[node.first];
  const int middle = ShardTreeMiddle(node);
  return Expected(shards, {node.first, middle}) + Expected(shards, {middle, node.end});
}

std::vector<float> RandomShards(int count, std::mt19937& random) {
  std::vector<float> values(count);
  for (float& value : values) {
    value = std::uniform_real_distribution<float>(-1, 1)(random) * (1 << random() % 20);
  }
  return values;
}

// A random cut of the tree into nodes.
void RandomNodes(ShardNode at, std::mt19937& random, std::vector<ShardNode>& nodes) {
  if (at.size() == 1 || random() % 3 == 0) {
    nodes.push_back(at);
    return;
  }
  const int middle = ShardTreeMiddle(at);
  RandomNodes({at.first, middle}, random, nodes);
  RandomNodes({middle, at.end}, random, nodes);
}

TEST(ReductionTreeTest, AnyCutInAnyOrderGivesTheSameBits) {
  std::mt19937 random(3);
  for (int round = 0; round < 3000; ++round) {
    const int count = 1 + random() % 13;
    const std::vector<float> shards = RandomShards(count, random);
    std::vector<ShardNode> nodes;
    RandomNodes({0, count}, random, nodes);
    std::shuffle(nodes.begin(), nodes.end(), random);
    FloatTree tree(count);
    for (size_t i = 0; i < nodes.size(); ++i) {
      EXPECT_FALSE(tree.complete());
      const auto result = tree.Add(nodes[i], Expected(shards, nodes[i]));
      EXPECT_EQ(result == ReductionResult::kComplete, i + 1 == nodes.size());
    }
    EXPECT_EQ(tree.root(), Expected(shards, {0, count}));
    EXPECT_EQ(tree.size(), 1);
  }
}

TEST(ReductionTreeTest, OverlappingCutsGiveTheSameBits) {
  std::mt19937 random(4);
  for (int round = 0; round < 3000; ++round) {
    const int count = 1 + random() % 13;
    const std::vector<float> shards = RandomShards(count, random);
    std::vector<ShardNode> nodes;
    for (int copies = 0; copies < 3; ++copies) RandomNodes({0, count}, random, nodes);
    std::shuffle(nodes.begin(), nodes.end(), random);
    FloatTree tree(count);
    for (const ShardNode& node : nodes) {
      if (tree.complete()) break;
      tree.Add(node, Expected(shards, node));
    }
    ASSERT_TRUE(tree.complete());
    EXPECT_EQ(tree.root(), Expected(shards, {0, count}));
  }
}

TEST(ReductionTreeTest, IgnoresSecondCopyOfTheSameShard) {
  FloatTree tree(4);
  EXPECT_EQ(tree.Add({0, 1}, 1), ReductionResult::kStored);
  EXPECT_EQ(tree.Add({0, 1}, 1), ReductionResult::kDuplicate);
  EXPECT_EQ(tree.Add({1, 2}, 2), ReductionResult::kStored);
  EXPECT_EQ(tree.Add({1, 2}, 2), ReductionResult::kDuplicate);
  EXPECT_EQ(tree.size(), 1);
  EXPECT_EQ(tree.Add({2, 4}, 4), ReductionResult::kComplete);
  EXPECT_EQ(tree.root(), 7);
}

TEST(ReductionTreeTest, AWholeNodeTakesThePlaceOfItsParts) {
  FloatTree tree(8);
  tree.Add({0, 1}, 1);
  tree.Add({2, 3}, 1);
  EXPECT_EQ(tree.Add({0, 4}, 10), ReductionResult::kStored);
  EXPECT_EQ(tree.size(), 1);
  EXPECT_EQ(tree.Add({4, 8}, 5), ReductionResult::kComplete);
  EXPECT_EQ(tree.root(), 15);
}

}  // namespace
}  // namespace lockstep::server
