// Which of several ways to compute the same thing is the fastest, found by
// using each a few times.
#ifndef LOCKSTEP_WORKER_FASTEST_OF_H_
#define LOCKSTEP_WORKER_FASTEST_OF_H_

#include <algorithm>
#include <limits>
#include <vector>

namespace lockstep::worker {

class FastestOf {
 public:
  // Ways [0, ways), the first preferred: another must take less than
  // kClearlyFaster of its time. Requires: ways >= 1.
  explicit FastestOf(int ways) : tried_(ways, 0), seconds_(ways, kNever) {}

  // The way to go now: each in turn until all have been measured, then the fastest.
  int Next() const {
    const auto least = std::min_element(tried_.begin(), tried_.end());
    if (*least < kTrials && tried_.size() > 1) return static_cast<int>(least - tried_.begin());
    const auto fastest = std::min_element(seconds_.begin(), seconds_.end());
    if (*fastest < kClearlyFaster * seconds_[0])
      return static_cast<int>(fastest - seconds_.begin());
    return 0;
  }

  // The least of a way's times counts: what makes one longer is something else
  // (memory that is touched for the first time, another process).
  void Measured(int way, double seconds) {
    seconds_[way] = std::min(seconds_[way], seconds);
    tried_[way] = std::min(tried_[way] + 1, kTrials);
  }

 private:
  static constexpr int kTrials = 3;
  static constexpr double kClearlyFaster = 0.9;
  static constexpr double kNever = std::numeric_limits<double>::infinity();

  std::vector<int> tried_;
  std::vector<double> seconds_;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_FASTEST_OF_H_
