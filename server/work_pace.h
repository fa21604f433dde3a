// How long workers take for a shard, to tell who takes too long: the median of
// the newest answers, which a few stragglers do not move.
#ifndef LOCKSTEP_SERVER_WORK_PACE_H_
#define LOCKSTEP_SERVER_WORK_PACE_H_

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/time/time.h"

namespace lockstep::server {

// Threads: none of its own; the owner locks.
class WorkPace {
 public:
  // A worker has answered all of `shards` shards this long after it was asked.
  void Add(absl::Duration duration, int shards) {
    if (shards <= 0) return;
    if (newest_.size() < kKept) {
      newest_.push_back(duration / shards);
    } else {
      newest_[next_] = duration / shards;
    }
    next_ = (next_ + 1) % kKept;
    median_.reset();
  }

  // When a worker with so many shards takes too long. Unknown (infinite) before
  // there are a few answers: the first ones are slow by nature.
  absl::Duration LateAfter(int shards) const {
    if (newest_.size() < kLeast) return absl::InfiniteDuration();
    return std::max(kLeastPatience, kFactor * shards * Median());
  }

  // When a worker with so many shards hangs, although it sends heartbeats: far
  // later than any pause that a machine recovers from.
  absl::Duration HangsAfter(int shards) const {
    const absl::Duration late = LateAfter(shards);
    if (late == absl::InfiniteDuration()) return kFirstHang;
    return std::max(kLeastHang, kHangFactor * late);
  }

  // How long a silent worker is believed to live: `least`, or half a shard's
  // usual time, up to a minute.
  absl::Duration Lease(absl::Duration least) const {
    return std::max(least, std::min(absl::Minutes(1), Median() / 2));
  }

  // The median of a shard's time; zero while unknown.
  absl::Duration Median() const {
    if (newest_.size() < kLeast) return absl::ZeroDuration();
    if (!median_.has_value()) {
      std::vector<absl::Duration> sorted = newest_;
      std::nth_element(sorted.begin(), sorted.begin() + sorted.size() / 2, sorted.end());
      median_ = sorted[sorted.size() / 2];
    }
    return *median_;
  }

 private:
  // About the last few dozen steps of a small cluster.
  static constexpr size_t kKept = 65;
  static constexpr size_t kLeast = 5;
  // Three medians: a worker on a machine that shares its cores with one other
  // program takes two, and its answer is worth waiting for.
  static constexpr int kFactor = 3;
  // What a busy machine's scheduler may take away; a step of a small model is
  // shorter, and handing its shards out again costs more than it saves.
  static constexpr absl::Duration kLeastPatience = absl::Milliseconds(100);

  static constexpr absl::Duration kLeastHang = absl::Minutes(2);
  static constexpr int kHangFactor = 20;
  static constexpr absl::Duration kFirstHang = absl::Hours(1);

  std::vector<absl::Duration> newest_;
  size_t next_ = 0;
  // Asked for once a worker, more often than it changes.
  mutable std::optional<absl::Duration> median_;
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_WORK_PACE_H_
