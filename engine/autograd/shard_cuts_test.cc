#include "engine/autograd/shard_cuts.h"

#include <thread>

#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

using Cuts = PooledVector<int64_t>;

TEST(ShardCutsTest, OneShardIsNoCut) {
  EXPECT_EQ(ShardCuts::Current(), nullptr);
  ShardCuts scope({0, 5});
  EXPECT_EQ(ShardCuts::Current(), nullptr);
}

TEST(ShardCutsTest, TheInnermostScopeCounts) {
  ShardCuts outer({0, 2, 4});
  {
    ShardCuts inner({0, 1, 2, 3});
    EXPECT_EQ(*ShardCuts::Current(), (Cuts{0, 1, 2, 3}));
  }
  EXPECT_EQ(*ShardCuts::Current(), (Cuts{0, 2, 4}));
}

TEST(ShardCutsTest, ThreadsHaveTheirOwn) {
  ShardCuts scope({0, 2, 4});
  std::thread([] { EXPECT_EQ(ShardCuts::Current(), nullptr); }).join();
}

TEST(ShardCutsTest, RemembersAnUnsupportedOperation) {
  ShardCuts scope({0, 2, 4});
  EXPECT_TRUE(scope.supported());
  ShardCuts::MarkUnsupported();
  EXPECT_FALSE(scope.supported());
  ShardCuts one_shard({0, 4});
  ShardCuts::MarkUnsupported();
  EXPECT_TRUE(one_shard.supported());
}

TEST(ShardCutsTest, RowCutsCountRowsPerExample) {
  EXPECT_EQ(RowCuts(nullptr, 6), (Cuts{0, 6}));
  ShardCuts scope({0, 1, 1, 3});
  EXPECT_EQ(RowCuts(ShardCuts::Current(), 3), (Cuts{0, 1, 1, 3}));
  EXPECT_EQ(RowCuts(ShardCuts::Current(), 12), (Cuts{0, 4, 4, 12}));
  EXPECT_DEATH(RowCuts(ShardCuts::Current(), 4), "cuts are for 3 examples, got 4 rows");
}

TEST(ShardCutsTest, AllShardsMayBeEmpty) {
  ShardCuts scope({0, 0, 0});
  EXPECT_EQ(RowCuts(ShardCuts::Current(), 0), (Cuts{0, 0, 0}));
}

}  // namespace
}  // namespace lockstep::autograd
