#include "engine/optim/schedule.h"

#include <cmath>

#include "gtest/gtest.h"

namespace lockstep::optim {
namespace {

constexpr uint64_t kTotal = 100;
constexpr uint64_t kPerEpoch = 10;

double At(const Schedule& schedule, uint64_t step) {
  return schedule.Factor(step, kTotal, kPerEpoch);
}

Schedule Of(ScheduleKind kind) {
  Schedule schedule;
  schedule.kind = kind;
  return schedule;
}

TEST(ScheduleTest, ConstantIsOneAfterItsWarmup) {
  Schedule schedule;
  EXPECT_EQ(At(schedule, 0), 1);
  EXPECT_EQ(At(schedule, 99), 1);
  schedule.warmup_steps = 4;
  EXPECT_EQ(At(schedule, 0), 0.25);
  EXPECT_EQ(At(schedule, 1), 0.5);
  EXPECT_EQ(At(schedule, 3), 1);
  EXPECT_EQ(At(schedule, 4), 1);
}

TEST(ScheduleTest, StepDropsEveryFewEpochs) {
  Schedule schedule = Of(ScheduleKind::kStep);
  schedule.step_size_epochs = 2;
  schedule.gamma = 0.5;
  EXPECT_EQ(At(schedule, 19), 1);
  EXPECT_EQ(At(schedule, 20), 0.5);
  EXPECT_EQ(At(schedule, 99), 0.0625);
  schedule.warmup_steps = 40;  // beyond the first drop
  EXPECT_EQ(At(schedule, 9), 0.25);
  EXPECT_EQ(At(schedule, 29), 0.375);
}

TEST(ScheduleTest, CosineFallsFromOneToTheFinalFactor) {
  Schedule schedule = Of(ScheduleKind::kCosine);
  EXPECT_EQ(At(schedule, 0), 1);
  EXPECT_EQ(At(schedule, 50), 0.5);
  for (uint64_t step = 0; step < kTotal; ++step) {
    EXPECT_NEAR(At(schedule, step), (1 + std::cos(M_PI * step / 100.0)) / 2, 1e-15) << step;
  }
  schedule.final_factor = 0.2;
  EXPECT_DOUBLE_EQ(At(schedule, 50), 0.6);
  schedule.warmup_steps = 20;
  EXPECT_EQ(At(schedule, 9), 0.5);
  EXPECT_EQ(At(schedule, 20), 1);
  EXPECT_DOUBLE_EQ(At(schedule, 60), 0.6);
}

TEST(ScheduleTest, LinearFallsFromOneToTheFinalFactor) {
  Schedule schedule = Of(ScheduleKind::kLinear);
  EXPECT_EQ(At(schedule, 0), 1);
  EXPECT_EQ(At(schedule, 25), 0.75);
  schedule.final_factor = 0.5;
  schedule.warmup_steps = 50;
  EXPECT_EQ(At(schedule, 50), 1);
  EXPECT_EQ(At(schedule, 75), 0.75);
}

TEST(ScheduleTest, AWarmupMayOutlastTheJob) {
  Schedule schedule = Of(ScheduleKind::kCosine);
  schedule.warmup_steps = 200;
  EXPECT_EQ(At(schedule, 99), 0.5);
}

TEST(ScheduleTest, MultistepDropsAtItsMilestones) {
  Schedule schedule = Of(ScheduleKind::kMultistep);
  schedule.milestones = {2, 5, 5};
  schedule.gamma = 0.5;
  EXPECT_EQ(At(schedule, 19), 1);
  EXPECT_EQ(At(schedule, 20), 0.5);
  EXPECT_EQ(At(schedule, 49), 0.5);
  EXPECT_EQ(At(schedule, 50), 0.125);
}

TEST(ScheduleTest, ExponentialDropsEveryEpoch) {
  Schedule schedule = Of(ScheduleKind::kExponential);
  schedule.gamma = 0.5;
  EXPECT_EQ(At(schedule, 9), 1);
  EXPECT_EQ(At(schedule, 30), 0.125);
}

TEST(ScheduleTest, InverseSquareRootMeetsItsWarmup) {
  Schedule schedule = Of(ScheduleKind::kInverseSquareRoot);
  EXPECT_EQ(At(schedule, 0), 1);
  EXPECT_EQ(At(schedule, 3), 0.5);
  schedule.warmup_steps = 4;
  EXPECT_EQ(At(schedule, 1), 0.5);
  EXPECT_EQ(At(schedule, 3), 1);
  EXPECT_EQ(At(schedule, 15), 0.5);
}

TEST(ScheduleTest, RestartsBeginAgainAtOne) {
  Schedule schedule = Of(ScheduleKind::kCosineRestarts);
  schedule.first_cycle_steps = 10;
  EXPECT_EQ(At(schedule, 5), 0.5);
  EXPECT_EQ(At(schedule, 10), 1);
  EXPECT_EQ(At(schedule, 95), 0.5);
  schedule.cycle_multiplier = 2;
  EXPECT_EQ(At(schedule, 10), 1);
  EXPECT_EQ(At(schedule, 20), 0.5);
  EXPECT_EQ(At(schedule, 30), 1);
  EXPECT_EQ(At(schedule, 50), 0.5);
  // A multiplier that would overflow ends the search, not the process.
  schedule.cycle_multiplier = uint64_t{1} << 62;
  EXPECT_GT(At(schedule, 99), 0.9);
}

TEST(ScheduleTest, OneCycleRisesAndFalls) {
  Schedule schedule = Of(ScheduleKind::kOneCycle);
  EXPECT_NEAR(At(schedule, 0), 0.04, 1e-15);
  EXPECT_EQ(At(schedule, 29), 1);
  EXPECT_LT(At(schedule, 30), 1);
  EXPECT_DOUBLE_EQ(At(schedule, 99), 0.04 / 10000);
  // No rise at all, or nothing but the rise, or a job of one step.
  schedule.warmup_fraction = 0;
  EXPECT_EQ(At(schedule, 0), 1);
  schedule.warmup_fraction = 1;
  EXPECT_EQ(At(schedule, 99), 1);
  EXPECT_EQ(schedule.Factor(0, 1, 1), 1);
}

TEST(ScheduleTest, PlateauTakesTheFactorThatIsGiven) {
  Schedule schedule = Of(ScheduleKind::kPlateau);
  schedule.warmup_steps = 2;
  EXPECT_EQ(schedule.Factor(0, 10, 5, 0.5), 0.25);
  EXPECT_EQ(schedule.Factor(7, 10, 5, 0.5), 0.5);
}

}  // namespace
}  // namespace lockstep::optim
