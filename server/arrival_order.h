// Which piece of work comes next where shards do not wait for each other: the
// decisions of the modes `async` and `bounded_staleness`, and of their replay.
//
// Work comes as tickets: ticket t is shard t % shards of step t / shards. An
// update is what becomes of a ticket when its gradient arrives; its base is how
// many updates the parameters had behind them that the gradient was taken at.
#ifndef LOCKSTEP_SERVER_ARRIVAL_ORDER_H_
#define LOCKSTEP_SERVER_ARRIVAL_ORDER_H_

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

namespace lockstep::server {

struct Arrival {
  uint64_t ticket = 0;
  uint64_t base = 0;
};

// A piece of work that was handed out.
struct Ticket {
  uint64_t number = 0;
  // In a replay: which update it becomes, and of which base. Unset: whichever
  // comes next, of the newest parameters.
  std::optional<uint64_t> update;
  uint64_t base = 0;
};

// Threads: none of its own; the owner locks.
class ArrivalOrder {
 public:
  // `staleness`: steps that the fastest may be ahead of the slowest; unset: no
  // bound. `first`: the first ticket, a multiple of `shards`; `updates`: those
  // that the parameters have behind them.
  ArrivalOrder(int shards, std::optional<uint64_t> staleness, uint64_t first, uint64_t updates)
      : shards_(shards), staleness_(staleness), next_(first), updates_(updates) {}

  // From now on the order is that of `log`, whose first entry is the update
  // that comes next. Requires: nothing handed out.
  void Replay(std::vector<Arrival> log);
  bool replays() const { return replays_; }

  // The next piece of work below ticket `end`, if one may be begun now. One
  // whose shard has no examples (`empty(ticket)`) is passed over.
  template <typename IsEmpty>
  std::optional<Ticket> Take(uint64_t end, const IsEmpty& empty) {
    if (replays_) return TakeLogged();
    PassOverEmpty(end, empty);
    const uint64_t ticket = given_back_.empty() ? next_ : *given_back_.begin();
    if (ticket >= end || !MayBegin(ticket)) return std::nullopt;
    if (given_back_.empty()) {
      ++next_;
    } else {
      given_back_.erase(given_back_.begin());
    }
    open_.insert(ticket);
    return Ticket{ticket, std::nullopt, updates_};
  }
  // Passes over tickets below `end` without examples that come next, so that
  // IsDone does not wait for them.
  template <typename IsEmpty>
  void PassOverEmpty(uint64_t end, const IsEmpty& empty) {
    while (next_ < end && empty(next_)) ++next_;
  }
  // Its worker is gone: it is handed out again.
  void GiveBack(const Ticket& ticket);
  // It has become the next update. Requires: handed out, and in a replay
  // `ticket.update` is updates().
  void Apply(const Ticket& ticket);

  uint64_t updates() const { return updates_; }
  // Whether every ticket below `end` has been applied or passed over.
  bool IsDone(uint64_t end) const;
  // The oldest ticket not applied yet.
  uint64_t oldest() const;
  // The first step of which no ticket has been handed out.
  uint64_t end_of_begun() const {
    return (next_ + static_cast<uint64_t>(shards_) - 1) / static_cast<uint64_t>(shards_);
  }
  // In a replay: the oldest parameters that are still needed.
  uint64_t oldest_base() const;

 private:
  bool MayBegin(uint64_t ticket) const;
  std::optional<Ticket> TakeLogged();

  const int shards_;
  const std::optional<uint64_t> staleness_;
  uint64_t next_;  // lowest ticket never handed out
  uint64_t updates_;
  std::set<uint64_t> open_;        // handed out, not applied
  std::set<uint64_t> given_back_;  // to be handed out again

  bool replays_ = false;
  uint64_t log_begin_ = 0;  // the update that the log's first entry becomes
  std::vector<Arrival> log_;
  std::set<uint64_t> waiting_;              // updates to be handed out
  std::vector<uint64_t> oldest_base_from_;  // of the log's entries from each on
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_ARRIVAL_ORDER_H_
