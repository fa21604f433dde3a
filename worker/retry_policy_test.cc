#include "worker/retry_policy.h"

#include <gtest/gtest.h>

namespace lockstep::worker {
namespace {

TEST(RetryPolicyTest, WaitsGrowWithinBoundsAndBeginAnewAfterReset) {
  RetryPolicy policy(absl::Milliseconds(50), absl::Seconds(2), 3);
  absl::Duration bound = absl::Milliseconds(50);
  for (int i = 0; i < 30; ++i) {
    const absl::Duration wait = policy.NextWait();
    EXPECT_GE(wait, bound / 2);
    EXPECT_LE(wait, bound);
    bound = std::min(bound * 1.5, absl::Seconds(2));
  }
  policy.Reset();
  EXPECT_LE(policy.NextWait(), absl::Milliseconds(50));
}

}  // namespace
}  // namespace lockstep::worker
