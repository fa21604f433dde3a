#include "engine/kernels/matmul_plan.h"

#include <gtest/gtest.h>

namespace lockstep::kernels {
namespace {

MatmulTileShape Tile() {
  MatmulTileShape tile;
  tile.rows = 8;
  tile.columns = 48;
  tile.vector = 16;
  return tile;
}

// y = x W^T, as a layer's forward.
MatmulProblem Forward(int64_t batch, int64_t in, int64_t out) {
  return {batch, out, in, /*a_depth_contiguous=*/true, /*b_depth_contiguous=*/true, /*shards=*/1};
}

TEST(MatmulPlanTest, CopiesTheSmallerOfTwoOperandsThatLieAlongDepth) {
  EXPECT_TRUE(PlanMatmul(Tile(), Forward(128, 2048, 2048), 1).transposed);
  EXPECT_FALSE(PlanMatmul(Tile(), Forward(2048, 512, 128), 1).transposed);
}

TEST(MatmulPlanTest, NeverTurnsAnOperandThatLiesAcrossDepth) {
  MatmulProblem problem = Forward(128, 2048, 2048);
  problem.b_depth_contiguous = false;
  EXPECT_FALSE(PlanMatmul(Tile(), problem, 1).transposed);
}

TEST(MatmulPlanTest, LanesAreNotWastedOnTenOutputs) {
  EXPECT_TRUE(PlanMatmul(Tile(), Forward(128, 256, 10), 1).transposed);
}

TEST(MatmulPlanTest, TheGridHasNoMoreTeamsThanThreads) {
  for (int threads = 1; threads <= 64; ++threads) {
    const MatmulPlan plan = PlanMatmul(Tile(), Forward(100, 300, 500), threads);
    EXPECT_GE(plan.row_teams, 1);
    EXPECT_GE(plan.column_teams, 1);
    EXPECT_LE(plan.row_teams * plan.column_teams, threads);
  }
}

TEST(MatmulPlanTest, CutsColumnsWhereThereIsOneRow) {
  MatmulProblem problem = Forward(1, 512, 512);
  problem.b_depth_contiguous = false;
  const MatmulPlan plan = PlanMatmul(Tile(), problem, 4);
  EXPECT_EQ(1, plan.row_teams);
  EXPECT_EQ(4, plan.column_teams);
}

TEST(MatmulPlanTest, ShardsKeepDepthWhole) {
  MatmulProblem problem{256, 784, 4096, false, false, 8};
  EXPECT_EQ(1, PlanMatmul(Tile(), problem, 2).depth_blocks);
  EXPECT_TRUE(PlanMatmul(Tile(), problem, 2).pack_rows);
  problem.shards = 1;
  EXPECT_EQ(8, PlanMatmul(Tile(), problem, 2).depth_blocks);
}

TEST(MatmulPlanTest, BlocksOfRowsAreWholeTilesHoweverLongTheDepth) {
  for (const int64_t k : {0, 1, 100, 5000, 10'000'000}) {
    const MatmulPlan plan = PlanMatmul(Tile(), {64, 64, k, false, false, 2}, 1);
    EXPECT_GE(plan.block_rows, 8);
    EXPECT_EQ(0, plan.block_rows % 8);
  }
}

}  // namespace
}  // namespace lockstep::kernels
