#include "server/work_pace.h"

#include <gtest/gtest.h>

namespace lockstep::server {
namespace {

TEST(WorkPaceTest, KnowsNothingAtFirst) {
  WorkPace pace;
  for (int i = 0; i < 4; ++i) pace.Add(absl::Seconds(1), 1);
  EXPECT_EQ(pace.LateAfter(1), absl::InfiniteDuration());
  EXPECT_EQ(pace.Median(), absl::ZeroDuration());
}

TEST(WorkPaceTest, IsTheMedianOfTheTimePerShard) {
  WorkPace pace;
  for (int i = 0; i < 7; ++i) pace.Add(absl::Seconds(4), 2);
  for (int i = 0; i < 6; ++i) pace.Add(absl::Seconds(1000), 1);
  EXPECT_EQ(pace.Median(), absl::Seconds(2));
  EXPECT_EQ(pace.LateAfter(4), absl::Seconds(24));
}

TEST(WorkPaceTest, FollowsAJobThatGrowsSlower) {
  WorkPace pace;
  for (int i = 0; i < 100; ++i) pace.Add(absl::Seconds(1), 1);
  for (int i = 0; i < 40; ++i) pace.Add(absl::Seconds(5), 1);
  EXPECT_EQ(pace.Median(), absl::Seconds(5));
}

TEST(WorkPaceTest, HasPatienceWithTinySteps) {
  WorkPace pace;
  for (int i = 0; i < 10; ++i) pace.Add(absl::Microseconds(100), 1);
  EXPECT_EQ(pace.LateAfter(1), absl::Milliseconds(100));
}

}  // namespace
}  // namespace lockstep::server
