// What `lockstep train --chaos` does to its own cluster, and when: a plan from
// the command line and the events that a seed makes of it.
#ifndef LOCKSTEP_CLIENT_CHAOS_PLAN_H_
#define LOCKSTEP_CLIENT_CHAOS_PLAN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace lockstep::client {

enum class ChaosFault { kKillWorker, kKillServer, kStallWorker, kDropConnection };

struct ChaosPlan {
  struct Recurring {
    ChaosFault fault;
    absl::Duration interval;  // on average
  };
  std::vector<Recurring> recurring;
  // The part of each worker's shards that it answers wrongly; 0: none.
  double corrupt_shard = 0;

  // "kill-worker=5s,kill-server=20s,stall-worker=7s,drop-connection=3s,
  // corrupt-shard=0.001", any of them. InvalidArgument: what is wrong in which part.
  static absl::StatusOr<ChaosPlan> Parse(absl::string_view text);
};

struct ChaosEvent {
  absl::Duration at;  // after the beginning
  ChaosFault fault = ChaosFault::kKillWorker;
  uint32_t choice = 0;      // which worker: modulo their number
  absl::Duration duration;  // of a stall
};

// "kill-worker".
std::string ChaosFaultName(ChaosFault fault);

// The events one after another, by the seed: each fault comes at random times,
// half to one and a half of its interval after the last.
class ChaosSchedule {
 public:
  ChaosSchedule(const ChaosPlan& plan, uint64_t seed);
  // The next event, where it is due; nothing before.
  std::optional<ChaosEvent> TakeDue(absl::Duration elapsed);

 private:
  struct Series {
    ChaosPlan::Recurring recurring;
    absl::Duration next;
    uint64_t count = 0;
  };
  uint32_t Word(size_t series, uint64_t count, uint64_t element) const;
  void Advance(size_t series);

  const uint64_t seed_;
  std::vector<Series> series_;
};

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_CHAOS_PLAN_H_
