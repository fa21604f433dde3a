#include "server/shard_assignment.h"

#include <gtest/gtest.h>

#include <set>

namespace lockstep::server {
namespace {

TEST(ShardAssignmentTest, EveryShardHasExactlyOneWorkerAndSharesAreEven) {
  for (int shards = 1; shards <= 16; ++shards) {
    for (int workers = 1; workers <= 20; ++workers) {
      std::set<int> seen;
      for (const auto& nodes : AssignShards(shards, workers)) {
        int share = 0;
        for (const ShardNode& node : nodes) {
          EXPECT_TRUE(IsShardTreeNode(shards, node));
          share += node.size();
          for (int i = node.first; i < node.end; ++i) EXPECT_TRUE(seen.insert(i).second);
        }
        EXPECT_LE(share, (shards + workers - 1) / workers);
      }
      EXPECT_EQ(seen.size(), static_cast<size_t>(shards));
    }
  }
}

TEST(ShardAssignmentTest, TwoWorkersOfEightShardsGetOneNodeEach) {
  const auto assigned = AssignShards(8, 2);
  EXPECT_EQ(assigned[0], (std::vector<ShardNode>{{0, 4}}));
  EXPECT_EQ(assigned[1], (std::vector<ShardNode>{{4, 8}}));
}

TEST(ShardAssignmentTest, FreedNodesAreSharedOut) {
  const auto assigned = AssignFreedNodes(8, {{0, 4}}, 2);
  EXPECT_EQ(assigned[0], (std::vector<ShardNode>{{0, 2}}));
  EXPECT_EQ(assigned[1], (std::vector<ShardNode>{{2, 4}}));
  const auto single = AssignFreedNodes(8, {{0, 1}, {5, 6}}, 2);
  EXPECT_EQ(single[0].size(), 1);
  EXPECT_EQ(single[1].size(), 1);
}

}  // namespace
}  // namespace lockstep::server
