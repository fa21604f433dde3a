// How long to wait before trying again: growing, jittered, bounded.
#ifndef LOCKSTEP_WORKER_RETRY_POLICY_H_
#define LOCKSTEP_WORKER_RETRY_POLICY_H_

#include <algorithm>
#include <random>

#include "absl/time/time.h"

namespace lockstep::worker {

// Threads: one at a time.
class RetryPolicy {
 public:
  // 50 ms, so that a restarted server has its workers back at once; 2 s, so
  // that a thousand workers do not flood one that is slow to come.
  explicit RetryPolicy(absl::Duration first = absl::Milliseconds(50),
                       absl::Duration longest = absl::Seconds(2), uint32_t seed = 1)
      : first_(first), longest_(longest), next_(first), random_(seed) {}

  // The next wait: between half and all of the present bound, which grows by half:
  // so the wait is never much longer than a third of the time that has passed.
  absl::Duration NextWait() {
    const double part = std::uniform_real_distribution<double>(0.5, 1)(random_);
    const absl::Duration wait = next_ * part;
    next_ = std::min(next_ * 1.5, longest_);
    return wait;
  }
  // It worked: begin anew next time.
  void Reset() { next_ = first_; }

 private:
  const absl::Duration first_;
  const absl::Duration longest_;
  absl::Duration next_;
  std::mt19937 random_;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_RETRY_POLICY_H_
