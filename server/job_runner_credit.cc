// A JobRunner's side of send_credit.h: who is told when that a sum may be sent.
#include <algorithm>

#include "server/job_runner.h"

namespace lockstep::server {

void JobRunner::AskCredit(const std::vector<std::vector<ShardNode>>& nodes) {
  if (!credit_.has_value()) return;
  for (const auto& mine : nodes) {
    for (const ShardNode& node : MaybeCut(mine)) credit_->HandOut(node);
  }
  TellSenders(credit_->Give());
}

bool JobRunner::HoldBack(const std::string& name, Participant& participant, const ShardNode& node) {
  if (!credit_.has_value() || credit_->Has(node)) return false;
  participant.was_held = true;
  held_back_[node].push_back(name);
  return true;
}

void JobRunner::GiveCredit() {
  if (!in_round_ || !credit_.has_value()) return;
  // Whose losses count has had all its chunks added before, as they came on the
  // same stream; but for those of an audit that two workers have not agreed on, and
  // those that another worker has sent before and that are being added now.
  int first_missing = losses_->FirstMissing();
  if (!adding_.empty()) first_missing = std::min(first_missing, *adding_.begin());
  auto entry = ballots_.lower_bound({credit_->first_missing(), 0});
  for (; entry != ballots_.end() && entry->first.first < first_missing; ++entry) {
    const NodeBallot& ballot = entry->second;
    if (ballot.kind() == NodeBallot::Kind::kAudit && ballot.NeedsOpinion()) {
      first_missing = entry->first.first;
    }
  }
  credit_->Advance(first_missing);
  TellSenders(credit_->Give());
}

void JobRunner::TellSenders(const std::vector<ShardNode>& nodes) {
  for (const ShardNode& node : nodes) {
    const auto waiting = held_back_.find(node);
    if (waiting == held_back_.end()) continue;
    v1::ServerMessage message;
    message.mutable_send_nodes()->set_job_id(job_id_);
    message.mutable_send_nodes()->set_round(round_);
    v1::ShardRange& range = *message.mutable_send_nodes()->add_nodes();
    range.set_first_shard(node.first);
    range.set_end_shard(node.end);
    for (const std::string& name : waiting->second) {
      Participant* const found = participants_.Find(name);
      if (found == nullptr) continue;
      const auto outstanding = found->outstanding.find(node);
      if (outstanding == found->outstanding.end() || !outstanding->second.held) continue;
      outstanding->second.held = false;
      found->asked_at = now_();
      found->link->Send(message);
    }
    held_back_.erase(waiting);
  }
}

bool JobRunner::IsHeldBack(const Participant& participant) {
  return std::all_of(participant.outstanding.begin(), participant.outstanding.end(),
                     [](const auto& entry) { return entry.second.held; });
}

uint32_t JobRunner::MostSums() const {
  const int now = aggregation_ == nullptr ? 0 : aggregation_->most_sums();
  return std::max(most_sums_, static_cast<uint32_t>(now));
}

}  // namespace lockstep::server
