#include "client/retry.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace lockstep::client {
namespace {

TEST(BackoffTest, GrowsWithinItsJitterUpToTheLongest) {
  Backoff backoff({absl::Seconds(1), absl::Seconds(5), 2.0, 0.5}, /*seed=*/1);
  absl::Duration full = absl::Seconds(1);
  for (int i = 0; i < 10; ++i) {
    const absl::Duration wait = backoff.Next();
    EXPECT_GE(wait, full / 2);
    EXPECT_LE(wait, full);
    full = std::min(2 * full, absl::Seconds(5));
  }
}

TEST(BackoffTest, IsShortAgainAfterReset) {
  Backoff backoff({absl::Seconds(1), absl::Seconds(60), 2.0, 0.5}, /*seed=*/1);
  for (int i = 0; i < 5; ++i) backoff.Next();
  backoff.Reset();
  EXPECT_LE(backoff.Next(), absl::Seconds(1));
}

TEST(BackoffTest, DiffersFromClientToClient) {
  EXPECT_NE(Backoff({}, 1).Next(), Backoff({}, 2).Next());
}

}  // namespace
}  // namespace lockstep::client
