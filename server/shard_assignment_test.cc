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

TEST(ShardAssignmentTest, AuditedNodesStandAlone) {
  for (int shards = 1; shards <= 12; ++shards) {
    for (int workers = 1; workers <= 6; ++workers) {
      for (uint64_t step = 0; step < 8; ++step) {
        const auto alone = ChooseAudited(3, step, 1, shards, 0.3);
        std::set<int> seen;
        std::set<ShardNode> nodes;
        for (const auto& mine : AssignShardsAround(shards, workers, alone)) {
          for (const ShardNode& node : mine) {
            EXPECT_TRUE(IsShardTreeNode(shards, node));
            nodes.insert(node);
            for (int i = node.first; i < node.end; ++i) EXPECT_TRUE(seen.insert(i).second);
          }
        }
        EXPECT_EQ(seen.size(), static_cast<size_t>(shards));
        for (const ShardNode& node : alone) EXPECT_EQ(nodes.count(node), 1);
      }
    }
  }
}

TEST(ShardAssignmentTest, DealtShardsAreAllThereAndNobodyHasAnEighthMore) {
  for (int shards : {1, 7, 25, 64, 1000}) {
    for (int workers : {1, 3, 16, 20, 64, 100}) {
      for (double fraction : {0.0, 0.02, 1.0}) {
        const auto alone = ChooseAudited(3, 1, 1, shards, fraction);
        std::set<int> seen;
        std::set<ShardNode> nodes;
        for (const auto& mine : DealShards(shards, workers, alone)) {
          int size = 0;
          for (const ShardNode& node : mine) {
            EXPECT_TRUE(IsShardTreeNode(shards, node));
            nodes.insert(node);
            size += node.size();
            for (int i = node.first; i < node.end; ++i) EXPECT_TRUE(seen.insert(i).second);
          }
          const int even = (shards + workers - 1) / workers;
          EXPECT_LE(size, even + even / 8);
        }
        EXPECT_EQ(seen.size(), static_cast<size_t>(shards));
        for (const ShardNode& node : alone) EXPECT_EQ(nodes.count(node), 1);
      }
    }
  }
}

TEST(ShardAssignmentTest, DealtShardsGoThroughTheTreeFromTheLeft) {
  const auto dealt = DealShards(64, 20, {});
  EXPECT_EQ(dealt[0], (std::vector<ShardNode>{{0, 4}}));
  EXPECT_EQ(dealt[15], (std::vector<ShardNode>{{60, 64}}));
  EXPECT_TRUE(dealt[19].empty());
  const auto single = DealShards(64, 22, {});
  EXPECT_EQ(single[1], (std::vector<ShardNode>{{1, 2}, {23, 24}, {45, 46}}));
}

TEST(ShardAssignmentTest, ALargeNodeAloneMayReachOverShares) {
  const auto assigned = AssignShardsAround(8, 4, {{0, 4}});
  EXPECT_EQ(assigned[0], (std::vector<ShardNode>{{0, 4}}));
  EXPECT_TRUE(assigned[1].empty());
  EXPECT_EQ(assigned[2], (std::vector<ShardNode>{{4, 6}}));
}

TEST(ShardAssignmentTest, TheAuditedPartIsTheWishedOneAndTheSeedDecides) {
  size_t chosen = 0;
  for (uint64_t step = 0; step < 1000; ++step) {
    const auto audited = ChooseAudited(7, step, 1, 8, 0.1);
    EXPECT_EQ(audited, ChooseAudited(7, step, 1, 8, 0.1));
    chosen += audited.size();
  }
  EXPECT_NEAR(static_cast<double>(chosen), 800, 100);
  EXPECT_EQ(ChooseAudited(7, 3, 1, 8, 1).size(), 8);
  EXPECT_TRUE(ChooseAudited(7, 3, 1, 8, 0).empty());
}

}  // namespace
}  // namespace lockstep::server
