// Examples per second over about the last second.
#ifndef LOCKSTEP_SERVER_THROUGHPUT_H_
#define LOCKSTEP_SERVER_THROUGHPUT_H_

#include <cstdint>
#include <deque>

#include "absl/time/time.h"

namespace lockstep::server {

// Threads: one at a time.
class Throughput {
 public:
  // `examples` more were done, in `duration` of work that ended at `now`.
  void Add(absl::Time now, absl::Duration duration, uint64_t examples) {
    steps_.push_back({now, duration, examples});
    examples_ += examples;
    duration_ += duration;
    while (steps_.size() > 1 && now - steps_.front().at > absl::Seconds(1)) {
      examples_ -= steps_.front().examples;
      duration_ -= steps_.front().duration;
      steps_.pop_front();
    }
  }
  // 0 before the first.
  double ExamplesPerSecond() const {
    const double seconds = absl::ToDoubleSeconds(duration_);
    return seconds > 0 ? static_cast<double>(examples_) / seconds : 0;
  }

 private:
  struct Step {
    absl::Time at;
    absl::Duration duration;
    uint64_t examples;
  };
  std::deque<Step> steps_;
  uint64_t examples_ = 0;
  absl::Duration duration_;
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_THROUGHPUT_H_
