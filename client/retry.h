// How long to wait before trying again: exponential, jittered, bounded.
#ifndef LOCKSTEP_CLIENT_RETRY_H_
#define LOCKSTEP_CLIENT_RETRY_H_

#include <cstdint>
#include <random>

#include "absl/time/time.h"

namespace lockstep::client {

struct BackoffOptions {
  absl::Duration first = absl::Milliseconds(250);
  absl::Duration longest = absl::Seconds(10);
  // Each wait is this many times the one before.
  double factor = 2.0;
  // Each wait is taken evenly from [1 - jitter, 1] times its length, so that
  // clients that lost the same server do not come back all at once.
  double jitter = 0.5;
};

// Threads: one at a time.
class Backoff {
 public:
  explicit Backoff(BackoffOptions options, uint32_t seed = std::random_device{}());

  // The next wait; grows with each call until Reset().
  absl::Duration Next();
  // After a success: the next wait is short again.
  void Reset();

 private:
  const BackoffOptions options_;
  std::mt19937 random_;
  absl::Duration next_;
};

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_RETRY_H_
