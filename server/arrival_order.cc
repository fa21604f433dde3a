#include "server/arrival_order.h"

#include <algorithm>
#include <utility>

namespace lockstep::server {

void ArrivalOrder::Replay(std::vector<Arrival> log) {
  replays_ = true;
  log_ = std::move(log);
  log_begin_ = updates_;
  oldest_base_from_.resize(log_.size());
  for (size_t i = log_.size(); i-- > 0;) {
    waiting_.insert(waiting_.begin(), log_begin_ + i);
    oldest_base_from_[i] = log_[i].base;
    if (i + 1 < log_.size()) {
      oldest_base_from_[i] = std::min(oldest_base_from_[i], oldest_base_from_[i + 1]);
    }
  }
}

std::optional<Ticket> ArrivalOrder::TakeLogged() {
  if (waiting_.empty()) return std::nullopt;
  const uint64_t update = *waiting_.begin();
  const Arrival& arrival = log_[update - log_begin_];
  if (arrival.base > updates_) return std::nullopt;
  waiting_.erase(waiting_.begin());
  return Ticket{arrival.ticket, update, arrival.base};
}

bool ArrivalOrder::MayBegin(uint64_t ticket) const {
  if (!staleness_.has_value()) return true;
  const uint64_t shards = static_cast<uint64_t>(shards_);
  return ticket / shards <= std::min(oldest(), ticket) / shards + *staleness_;
}

void ArrivalOrder::GiveBack(const Ticket& ticket) {
  if (ticket.update.has_value()) {
    waiting_.insert(*ticket.update);
  } else {
    open_.erase(ticket.number);
    given_back_.insert(ticket.number);
  }
}

void ArrivalOrder::Apply(const Ticket& ticket) {
  if (!replays_) open_.erase(ticket.number);
  ++updates_;
}

uint64_t ArrivalOrder::oldest() const {
  uint64_t oldest = next_;
  if (!open_.empty()) oldest = std::min(oldest, *open_.begin());
  if (!given_back_.empty()) oldest = std::min(oldest, *given_back_.begin());
  return oldest;
}

bool ArrivalOrder::IsDone(uint64_t end) const {
  if (!replays_) return oldest() >= end;
  // The log holds whole stretches: what is below `end` comes before the rest.
  const uint64_t applied = updates_ - log_begin_;
  return applied >= log_.size() || log_[applied].ticket >= end;
}

uint64_t ArrivalOrder::oldest_base() const {
  const uint64_t applied = updates_ - log_begin_;
  if (applied >= oldest_base_from_.size()) return updates_;
  return std::min(updates_, oldest_base_from_[applied]);
}

}  // namespace lockstep::server
