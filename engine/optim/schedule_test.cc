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
  EXPECT_EQ(At(schedule, 0), 0);
  EXPECT_EQ(At(schedule, 1), 0.25);
  EXPECT_EQ(At(schedule, 3), 0.75);
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
  EXPECT_EQ(At(schedule, 10), 0.25);
  EXPECT_EQ(At(schedule, 30), 0.375);
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
  EXPECT_EQ(At(schedule, 10), 0.5);
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
  EXPECT_EQ(At(schedule, 99), 0.495);
}

}  // namespace
}  // namespace lockstep::optim
