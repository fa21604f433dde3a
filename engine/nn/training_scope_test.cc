#include "engine/nn/training_scope.h"

#include "gtest/gtest.h"

namespace lockstep::nn {
namespace {

TEST(TrainingScopeTest, WithoutAScopeLayersEvaluate) {
  EXPECT_EQ(TrainingScope::Current(), nullptr);
}

TEST(TrainingScopeTest, TheInnermostScopeCounts) {
  TrainingScope outer({/*key=*/1, /*step=*/2, /*first_example=*/3});
  {
    TrainingScope inner({4, 5, 6});
    EXPECT_EQ(TrainingScope::Current()->options().first_example, 6u);
  }
  EXPECT_EQ(TrainingScope::Current(), &outer);
  EXPECT_EQ(outer.options().step, 2u);
}

TEST(TrainingScopeTest, RandomLayersAreNumberedWithinAForwardPass) {
  {
    TrainingScope scope({});
    EXPECT_EQ(scope.NextRandomLayer(), 0u);
    EXPECT_EQ(scope.NextRandomLayer(), 1u);
  }
  TrainingScope next({});
  EXPECT_EQ(next.NextRandomLayer(), 0u);
}

}  // namespace
}  // namespace lockstep::nn
