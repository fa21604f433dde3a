// How a JobRunner opens a round and hands out its nodes, with the parameters that
// they need.
#include <algorithm>
#include <utility>

#include "server/job_runner.h"
#include "server/shard_assignment.h"

namespace lockstep::server {

void JobRunner::StartRound() {
  ++round_;
  in_round_ = true;
  round_started_ = now_();
  freed_.clear();
  chunks_done_ = 0;
  anomalies_.clear();
  losses_ = std::make_unique<LossTree>(plan_.shards);
  credit_.reset();
  held_back_.clear();
  if (kind_ == v1::TRAIN) {
    credit_.emplace(plan_.shards);
    store_->BeginStep();
    ledger_.Begin();
    optim::UpdateStep update;
    update.step = step_;
    update.batch_size = static_cast<double>(RoundExamples());
    learning_rate_factor_ = schedule_.Factor(step_, plan_.total_steps, plan_.steps_per_epoch,
                                             measurements_.plateau_factor());
    if (plan_.local_steps == 0) {
      update.learning_rate_factor = learning_rate_factor_;
    } else {
      // The mean over the shards that have examples.
      update.batch_size = std::min<double>(update.batch_size, plan_.shards);
    }
    if (spec_.tensor_digests().shards()) {
      shard_chunk_digests_.assign(static_cast<size_t>(plan_.shards) * store_->chunk_count(), 0);
    }
    aggregation_ =
        std::make_shared<StepAggregation>(store_.get(), plan_.shards, update,
                                          spec_.gradient_format() == v1::GRADIENT_FORMAT_BFLOAT16);
  }
  for (auto& entry : participants_) {
    Participant& participant = entry.second;
    participant.follows = false;
    for (const auto& unanswered : participant.outstanding) {
      participant.late.insert({round_ - 1, unanswered.first});
    }
    participant.outstanding.clear();
    participant.first_shard = participant.end_shard = 0;
  }
  // Others have done what they were to finish.
  std::vector<std::string> names;
  for (const auto& entry : participants_) names.push_back(entry.first);
  for (const std::string& name : names) LetGo(name);
  names = AvailableWorkers();
  std::sort(names.begin(), names.end());  // the same shards as before, as far as can be
  const std::vector<ShardNode> audited = OpenAudits();
  const auto nodes = Assign(static_cast<int>(names.size()), audited);
  HandOut(names, nodes);
  HandOutAudits(names, nodes);
}

std::vector<ShardNode> JobRunner::MaybeCut(const std::vector<ShardNode>& nodes) const {
  if (kind_ != v1::TRAIN || !spec_.tensor_digests().shards()) return nodes;
  std::vector<ShardNode> shards;
  for (const ShardNode& node : nodes) {
    for (int shard = node.first; shard < node.end; ++shard) shards.push_back({shard, shard + 1});
  }
  return shards;
}

std::vector<std::vector<ShardNode>> JobRunner::Assign(int workers,
                                                      const std::vector<ShardNode>& audited) const {
  auto nodes = AssignShardsAround(plan_.shards, workers, audited);
  if (kind_ != v1::TRAIN) return nodes;
  std::vector<ShardNode> all;
  for (const auto& mine : nodes) {
    for (const ShardNode& node : MaybeCut(mine)) all.push_back(node);
  }
  if (SendCredit::IsEnoughFor(plan_.shards, all)) return nodes;
  return DealShards(plan_.shards, workers,
                    spec_.tensor_digests().shards() ? MaybeCut({{0, plan_.shards}}) : audited);
}

void JobRunner::HandOut(const std::vector<std::string>& names,
                        const std::vector<std::vector<ShardNode>>& nodes) {
  AskCredit(nodes);
  for (size_t i = 0; i < names.size(); ++i) {
    if (!nodes[i].empty()) HandOutTo(names[i], nodes[i]);
  }
}

void JobRunner::HandOutTo(const std::string& name, const std::vector<ShardNode>& nodes) {
  Participant& participant = participants_.at(name);
  if (participant.version != step_) SendCurrentParameters(participant);
  participant.follows |= chunks_done_ == 0;
  v1::ServerMessage message;
  v1::Round& round = *message.mutable_round();
  round.set_job_id(job_id_);
  round.set_round(round_);
  round.set_kind(kind_);
  round.set_step(step_);
  round.set_learning_rate_factor(learning_rate_factor_);
  if (participant.outstanding.empty()) {
    participant.first_shard = nodes.front().first;
    participant.end_shard = participant.first_shard;
    participant.asked_at = now_();
    participant.asked_shards = 0;
    participant.was_held = false;
  }
  for (const ShardNode& node : MaybeCut(nodes)) {
    v1::ShardRange& range = *round.add_nodes();
    range.set_first_shard(node.first);
    range.set_end_shard(node.end);
    Outstanding& outstanding = participant.outstanding[node];
    outstanding.missing = kind_ == v1::TRAIN ? store_->chunk_count() : 0;
    outstanding.chunks.assign(outstanding.missing, false);
    outstanding.held = HoldBack(name, participant, node);
    if (outstanding.held) range.set_hold(true);
    participant.first_shard = std::min(participant.first_shard, node.first);
    participant.end_shard = std::max(participant.end_shard, node.end);
    participant.asked_shards += node.size();
    const auto ballot = ballots_.find(node);
    if (ballot != ballots_.end()) ballot->second.Ask(name);
  }
  participant.link->Send(message);
}

void JobRunner::HandOutFreedNodes() {
  if (freed_.empty()) return;
  if (stop_.has_value() && participants_.CountReady() == 0) return EndUnfinished();
  const std::vector<std::string> names = AvailableWorkers();
  // A job that is to stop finishes its step with whoever is there.
  const bool enough =
      stop_.has_value() ? !names.empty() : participants_.CountReady() >= spec_.workers().min();
  SetWaiting(!enough);
  if (!enough) return;
  const std::vector<ShardNode> freed = std::exchange(freed_, {});
  HandOut(names, AssignFreedNodes(plan_.shards, freed, static_cast<int>(names.size())));
}

void JobRunner::SendCurrentParameters(Participant& participant) {
  for (int chunk = 0; chunk < store_->chunk_count(); ++chunk) {
    v1::ServerMessage message;
    message.mutable_parameter_chunk()->set_job_id(job_id_);
    message.mutable_parameter_chunk()->set_version(step_);
    message.mutable_parameter_chunk()->set_chunk(chunk);
    participant.link->Send(message, store_->CurrentChunk(chunk));
  }
  participant.version = step_;
}

void JobRunner::PublishChunk(int chunk) {
  v1::ServerMessage message;
  message.mutable_parameter_chunk()->set_job_id(job_id_);
  message.mutable_parameter_chunk()->set_version(step_ + 1);
  message.mutable_parameter_chunk()->set_chunk(chunk);
  const Tensor values = store_->NextChunk(chunk);
  const bool is_last = chunks_done_ + 1 == store_->chunk_count();
  for (auto& entry : participants_) {
    Participant& participant = entry.second;
    if (!participant.follows) continue;
    // It is sent the whole version where it gets nodes again.
    participant.follows = !IsBehind(participant);
    if (!participant.follows) continue;
    // All gradients are in: the losses come right behind them, and the next round.
    if (is_last) participant.link->LetNextWait();
    participant.link->Send(message, values);
  }
}

}  // namespace lockstep::server
