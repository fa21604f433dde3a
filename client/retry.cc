#include "client/retry.h"

#include <algorithm>

namespace lockstep::client {

Backoff::Backoff(BackoffOptions options, uint32_t seed)
    : options_(options), random_(seed), next_(options.first) {}

absl::Duration Backoff::Next() {
  std::uniform_real_distribution<double> part(1.0 - options_.jitter, 1.0);
  const absl::Duration wait = next_ * part(random_);
  next_ = std::min(next_ * options_.factor, options_.longest);
  return wait;
}

void Backoff::Reset() { next_ = options_.first; }

}  // namespace lockstep::client
