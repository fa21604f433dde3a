// The time of day at the process's start, plus what has passed since: leases
// and durations do not see it when somebody sets the machine's clock.
#ifndef LOCKSTEP_SERVER_STEADY_CLOCK_H_
#define LOCKSTEP_SERVER_STEADY_CLOCK_H_

#include <chrono>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace lockstep::server {

// Never goes back. Threads: any.
inline absl::Time SteadyNow() {
  static const absl::Time start = absl::Now();
  static const auto steady_start = std::chrono::steady_clock::now();
  return start + absl::FromChrono(std::chrono::steady_clock::now() - steady_start);
}

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_STEADY_CLOCK_H_
