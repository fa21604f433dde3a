#include "server/job_runner.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/kernels/bfloat16.h"
#include "engine/tensor_digest.h"
#include "server/shard_assignment.h"
#include "server/sum_digest.h"

namespace lockstep::server {

// ---- workers come and go

void JobRunner::AddWorker(const std::string& name, std::shared_ptr<WorkerLink> link) {
  absl::MutexLock lock(&mutex_);
  v1::ServerMessage message;
  message.mutable_prepare_job()->set_job_id(job_id_);
  *message.mutable_prepare_job()->mutable_spec() = spec_;
  message.mutable_prepare_job()->set_chunk_elements(kChunkElements);
  link->Send(message);
  participants_[name].link = std::move(link);
}

void JobRunner::RemoveWorker(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  const auto found = participants_.find(name);
  if (found == participants_.end()) return;
  FreeNodesOf(found->second);
  participants_.erase(found);
  for (auto& entry : ballots_) entry.second.Leave(name);
  for (PastBallot& past : past_ballots_) past.ballot.Leave(name);
  for (auto& step : disputes_) {
    for (auto& entry : step.second) entry.second.Leave(name);
  }
  GoOn();
}

void JobRunner::FreeNodesOf(Participant& participant) {
  for (const auto& entry : participant.outstanding) {
    // One with a ballot has, or gets, another worker by SettleBallots.
    if (ballots_.count(entry.first) == 0) freed_.push_back(entry.first);
  }
  participant.outstanding.clear();
  participant.late.clear();
}

void JobRunner::GoOn() {
  if (ended_) return;
  if (!in_round_) return Advance();
  SettleBallots();
  if (!ended_) HandOutFreedNodes();
}

void JobRunner::ReleaseWorker(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  const auto found = participants_.find(name);
  if (found == participants_.end()) return host_->OnWorkerReleased(job_id_, name);
  found->second.leaving = true;
  LetGo(name);
}

void JobRunner::LetGo(const std::string& name) {
  const auto found = participants_.find(name);
  if (found == participants_.end() || !found->second.leaving) return;
  if (in_round_ && !found->second.outstanding.empty()) return;
  participants_.erase(found);
  host_->OnWorkerReleased(job_id_, name);
}

absl::Status JobRunner::OnJobReady(const std::string& name, const v1::JobReady& message) {
  absl::MutexLock lock(&mutex_);
  const auto found = participants_.find(name);
  if (found == participants_.end() || ended_) return absl::OkStatus();
  if (message.training_examples() != plan_.training_examples ||
      message.validation_examples() != plan_.validation_examples) {
    return absl::InvalidArgumentError(
        absl::StrCat("job_ready: got ", message.training_examples(), " training and ",
                     message.validation_examples(), " validation examples, want ",
                     plan_.training_examples, " and ", plan_.validation_examples));
  }
  found->second.ready = true;
  refusals_.erase(name);
  GoOn();
  return absl::OkStatus();
}

void JobRunner::NoteRefusal(const std::string& name, const std::string& message) {
  absl::MutexLock lock(&mutex_);
  refusals_[name] = message;
}

void JobRunner::ForgetRefusal(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  refusals_.erase(name);
}

std::vector<std::string> JobRunner::ReadyWorkers() const {
  std::vector<std::string> names;
  for (const auto& entry : participants_) {
    const bool usable = entry.second.ready && !entry.second.leaving;
    if (usable && !entry.second.quarantined) names.push_back(entry.first);
  }
  return names;
}

std::vector<std::string> JobRunner::IdleWorkers() const {
  std::vector<std::string> names = ReadyWorkers();
  const auto is_busy = [this](const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const Participant& participant = participants_.at(name);
    return !participant.outstanding.empty() || !participant.late.empty() || IsBehind(participant);
  };
  names.erase(std::remove_if(names.begin(), names.end(), is_busy), names.end());
  return names;
}

std::vector<std::string> JobRunner::AvailableWorkers() const {
  const std::vector<std::string> ready = ReadyWorkers();
  std::vector<std::string> names = IdleWorkers();
  for (const std::string& name : ready) {
    const Participant& participant = participants_.at(name);
    const bool is_abreast = participant.late.empty() && !IsBehind(participant);
    if (is_abreast && !participant.outstanding.empty()) names.push_back(name);
  }
  return names.empty() ? ready : names;
}

// ---- rounds

uint64_t JobRunner::RoundExamples() const {
  return kind_ == v1::TRAIN ? plan_.Place(step_).examples : plan_.validation_examples;
}

void JobRunner::Advance() {
  if (ended_ || in_round_) return;
  if (stop_.has_value()) {
    End(stop_->first, stop_->second, /*with_checkpoint=*/store_->IsFinite());
    return;
  }
  if (kind_ == v1::TRAIN && step_ >= plan_.total_steps) {
    End(v1::SUCCEEDED, "", /*with_checkpoint=*/true);
    return;
  }
  const bool may_begin = hold_.empty() && ReadyWorkers().size() >= spec_.workers().min();
  SetWaiting(!may_begin);
  if (may_begin) StartRound();
}

void JobRunner::Hold(const std::string& reason) {
  absl::MutexLock lock(&mutex_);
  hold_ = reason;
  if (!ended_ && !in_round_) Advance();
}

void JobRunner::SetWaiting(bool waiting) {
  if (waiting == waiting_ && (waiting || announced_)) return;
  if (waiting && !waiting_) waiting_since_ = now_();
  waiting_ = waiting;
  // Before the first round the job is still queued: its owner says why.
  if (waiting && !announced_) return;
  announced_ = true;
  host_->OnRunning(job_id_, waiting ? WaitingReason() : "");
}

void JobRunner::StartRound() {
  ++round_;
  in_round_ = true;
  round_started_ = now_();
  freed_.clear();
  chunks_done_ = 0;
  anomalies_.clear();
  losses_ = std::make_unique<LossTree>(plan_.shards);
  if (kind_ == v1::TRAIN) {
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
  const auto nodes = AssignShardsAround(plan_.shards, static_cast<int>(names.size()), audited);
  HandOut(names, nodes);
  HandOutAudits(names, nodes);
}

int JobRunner::Parts() const { return kind_ == v1::TRAIN ? store_->chunk_count() + 1 : 1; }

std::vector<ShardNode> JobRunner::MaybeCut(const std::vector<ShardNode>& nodes) const {
  if (kind_ != v1::TRAIN || !spec_.tensor_digests().shards()) return nodes;
  std::vector<ShardNode> shards;
  for (const ShardNode& node : nodes) {
    for (int shard = node.first; shard < node.end; ++shard) shards.push_back({shard, shard + 1});
  }
  return shards;
}

void JobRunner::HandOut(const std::vector<std::string>& names,
                        const std::vector<std::vector<ShardNode>>& nodes) {
  for (size_t i = 0; i < names.size(); ++i) {
    if (nodes[i].empty()) continue;
    Participant& participant = participants_[names[i]];
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
      participant.first_shard = nodes[i].front().first;
      participant.end_shard = participant.first_shard;
      participant.asked_at = now_();
      participant.asked_shards = 0;
    }
    for (const ShardNode& node : MaybeCut(nodes[i])) {
      v1::ShardRange& range = *round.add_nodes();
      range.set_first_shard(node.first);
      range.set_end_shard(node.end);
      Outstanding& outstanding = participant.outstanding[node];
      outstanding.missing = kind_ == v1::TRAIN ? store_->chunk_count() : 0;
      outstanding.chunks.assign(outstanding.missing, false);
      participant.first_shard = std::min(participant.first_shard, node.first);
      participant.end_shard = std::max(participant.end_shard, node.end);
      participant.asked_shards += node.size();
      const auto ballot = ballots_.find(node);
      if (ballot != ballots_.end()) ballot->second.Ask(names[i]);
    }
    participant.link->Send(message);
  }
}

void JobRunner::HandOutFreedNodes() {
  if (freed_.empty()) return;
  if (stop_.has_value() && ReadyWorkers().empty()) return EndUnfinished();
  const std::vector<std::string> names = AvailableWorkers();
  // A job that is to stop finishes its step with whoever is there.
  const bool enough =
      stop_.has_value() ? !names.empty() : ReadyWorkers().size() >= spec_.workers().min();
  SetWaiting(!enough);
  if (!enough) return;
  const std::vector<ShardNode> freed = std::exchange(freed_, {});
  HandOut(names, AssignFreedNodes(plan_.shards, freed, static_cast<int>(names.size())));
}

void JobRunner::EndUnfinished() {
  // Where the optimizer's state is already part of the next step's, the last
  // checkpoint is the best there is.
  const bool untouched = chunks_done_ == 0 && chunks_in_flight_ == 0;
  End(stop_->first, stop_->second, /*with_checkpoint=*/untouched);
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
  for (auto& entry : participants_) {
    Participant& participant = entry.second;
    if (!participant.follows) continue;
    // It is sent the whole version where it gets nodes again.
    participant.follows = !IsBehind(participant);
    if (participant.follows) participant.link->Send(message, values);
  }
}

bool JobRunner::IsBehind(const Participant& participant) const {
  constexpr size_t kMessageBytes = 16 << 20;
  const size_t version_bytes = store_->layout().total_elements() * sizeof(float);
  return participant.link->unsent_bytes() > version_bytes + kMessageBytes;
}

// ---- what workers answer

absl::Status JobRunner::CheckGradientChunk(const Participant& participant,
                                           const v1::GradientChunk& message,
                                           int64_t elements) const {
  const ShardNode node{static_cast<int>(message.first_shard()),
                       static_cast<int>(message.end_shard())};
  if (participant.outstanding.count(node) == 0) {
    return absl::InvalidArgumentError(absl::StrCat("gradient_chunk: got shards [", node.first, ", ",
                                                   node.end, "), want a node that was handed out"));
  }
  if (message.chunk() >= static_cast<uint32_t>(store_->chunk_count()) ||
      elements != store_->ChunkElements(message.chunk())) {
    return absl::InvalidArgumentError(absl::StrCat("gradient_chunk: got chunk ", message.chunk(),
                                                   " with ", elements, " elements, want one of ",
                                                   store_->chunk_count(), " chunks, whole"));
  }
  return absl::OkStatus();
}

uint64_t JobRunner::DigestOfGradient(const Tensor& values) const {
  if (spec_.gradient_format() != v1::GRADIENT_FORMAT_BFLOAT16) {
    return DigestOf(values.span<float>());
  }
  // Through shared memory they come before they are rounded.
  Tensor rounded = values.Clone();
  kernels::RoundToBfloat16(rounded.span<float>());
  return DigestOf(std::as_const(rounded).span<float>());
}

absl::Status JobRunner::OnGradientChunk(const std::string& name, const v1::GradientChunk& message,
                                        Tensor values) {
  const ShardNode node{static_cast<int>(message.first_shard()),
                       static_cast<int>(message.end_shard())};
  const int chunk = static_cast<int>(message.chunk());
  const auto digest = [&values] {
    return SumDigest(static_cast<const Tensor&>(values).data<float>(),
                     values.element_count() * sizeof(float));
  };
  const bool keeps_digest = spec_.tensor_digests().shards() && node.size() == 1;
  const uint64_t kept_digest = keeps_digest ? DigestOfGradient(values) : 0;
  std::shared_ptr<StepAggregation> aggregation;
  bool contested = false;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = participants_.find(name);
    if (ended_ || found == participants_.end()) return absl::OkStatus();
    if (!in_round_ || message.round() != round_ || found->second.quarantined) {
      const bool compared = HasPastBallot(message.round(), node) && values.element_count() > 0;
      TakeLateAnswer(name, found->second, message.round(), node, chunk, compared ? digest() : 0);
      return absl::OkStatus();
    }
    const auto status = CheckGradientChunk(found->second, message, values.element_count());
    if (!status.ok()) return status;
    Outstanding& outstanding = found->second.outstanding.at(node);
    if (outstanding.chunks[chunk]) return absl::OkStatus();
    outstanding.chunks[chunk] = true;
    --outstanding.missing;
    contested = ballots_.count(node) > 0;
    if (keeps_digest) {
      const size_t row = static_cast<size_t>(node.first) * store_->chunk_count();
      shard_chunk_digests_[row + chunk] = kept_digest;
    }
    aggregation = aggregation_;
    ++chunks_in_flight_;
  }
  const uint64_t bits = contested ? digest() : 0;
  if (contested) {
    absl::MutexLock lock(&mutex_);
    if (ended_ || aggregation != aggregation_ || !CastVote(name, node, chunk, bits)) {
      --chunks_in_flight_;
      return absl::OkStatus();
    }
  }
  const auto complete = aggregation->Add(chunk, node, std::move(values));
  absl::MutexLock lock(&mutex_);
  --chunks_in_flight_;
  if (ended_ || aggregation != aggregation_) return absl::OkStatus();
  for (int done = complete.first; done < complete.end; ++done) {
    PublishChunk(done);
    ++chunks_done_;
  }
  if (complete.first < complete.end) FinishRoundIfDone();
  return absl::OkStatus();
}

absl::Status JobRunner::CheckNodeResult(const Participant& participant,
                                        const v1::NodeResult& message) const {
  const ShardNode node{static_cast<int>(message.first_shard()),
                       static_cast<int>(message.end_shard())};
  const auto outstanding = participant.outstanding.find(node);
  if (outstanding == participant.outstanding.end() || outstanding->second.missing > 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("node_result: got shards [", node.first, ", ", node.end,
                     "), want a node that was handed out and whose chunks have all been sent"));
  }
  const int64_t examples = RoundExamples();
  const int64_t want =
      ShardBegin(node.end, plan_.shards, examples) - ShardBegin(node.first, plan_.shards, examples);
  if (message.examples() != static_cast<uint64_t>(want)) {
    return absl::InvalidArgumentError(
        absl::StrCat("node_result: got ", message.examples(), " examples, want ", want));
  }
  const uint64_t labels = message.examples() * plan_.labels_per_example;
  if (message.predictions() > labels || message.correct() > message.predictions()) {
    return absl::InvalidArgumentError(
        absl::StrCat("node_result: got ", message.correct(), " of ", message.predictions(),
                     " answers right, want no more than there are of the ", labels, " labels"));
  }
  return absl::OkStatus();
}

absl::Status JobRunner::OnNodeResult(const std::string& name, const v1::NodeResult& message) {
  absl::MutexLock lock(&mutex_);
  const auto found = participants_.find(name);
  if (ended_ || found == participants_.end()) return absl::OkStatus();
  Participant& participant = found->second;
  const ShardNode node{static_cast<int>(message.first_shard()),
                       static_cast<int>(message.end_shard())};
  if (message.skipped()) {
    OnSkipped(name, participant, message.round(), node);
    return absl::OkStatus();
  }
  const Losses losses{message.loss_sum(), message.correct(), message.predictions()};
  const uint64_t digest = SumDigest(&losses, sizeof(losses));
  if (!in_round_ || message.round() != round_ || participant.quarantined) {
    participant.late.erase({message.round(), node});
    TakeLateAnswer(name, participant, message.round(), node, -1, digest);
    if (!ended_ && in_round_ && participant.late.empty()) GoOn();
    return absl::OkStatus();
  }
  if (const auto status = CheckNodeResult(participant, message); !status.ok()) return status;
  constexpr size_t kLongestAnomaly = 1000;
  if (!message.anomaly().empty() && message.anomaly().size() <= kLongestAnomaly) {
    anomalies_[node] = absl::StrCat("worker ", name, ": ", message.anomaly());
  }
  participant.outstanding.erase(node);
  NoteAnswered(participant);
  if (ballots_.count(node) == 0 || CastVote(name, node, Parts() - 1, digest)) {
    CountLosses(name, node, losses);
  }
  if (ended_) return absl::OkStatus();
  // Of other nodes' ballots an answer changes nothing.
  if (ballots_.count(node) > 0) SettleBallots();
  if (ended_) return absl::OkStatus();
  LetGo(name);
  FinishRoundIfDone();
  return absl::OkStatus();
}

void JobRunner::OnSkipped(const std::string& name, Participant& participant, uint64_t round,
                          const ShardNode& node) {
  participant.late.erase({round, node});
  // It lacks the parameters that it was sent: with its next node it gets them again.
  participant.version.reset();
  participant.follows = false;
  if (in_round_ && round == round_ && participant.outstanding.erase(node) > 0) {
    const auto ballot = ballots_.find(node);
    if (ballot == ballots_.end()) {
      freed_.push_back(node);
    } else {
      ballot->second.TakeBack(name);
    }
  }
  if (in_round_) GoOn();
}

void JobRunner::CountLosses(const std::string& name, const ShardNode& node, const Losses& losses) {
  if (losses_->Add(node, losses) == ReductionResult::kDuplicate) return;
  if (kind_ != v1::TRAIN) return;
  ledger_.Record(node);
  const auto ballot = ballots_.find(node);
  const bool audited =
      ballot != ballots_.end() && ballot->second.kind() == NodeBallot::Kind::kAudit;
  if (audited) {
    shards_audited_ += node.size();
  } else if (const auto found = participants_.find(name); found != participants_.end()) {
    found->second.unaudited_shards += node.size();
  }
}

void JobRunner::NoteAnswered(Participant& participant) {
  if (!participant.outstanding.empty()) return;
  Pace().Add(now_() - participant.asked_at, participant.asked_shards);
}

void JobRunner::FinishRoundIfDone() {
  if (!in_round_ || !losses_->complete() || InConflict()) return;
  if (kind_ == v1::TRAIN) {
    if (chunks_done_ == store_->chunk_count()) CommitStep();
    return;
  }
  in_round_ = false;
  KeepBallots();  // of training alone: before the kind changes
  kind_ = v1::TRAIN;
  EndEpoch(losses_->root());
}

void JobRunner::CommitStep() {
  const uint64_t examples = RoundExamples();
  in_round_ = false;
  aggregation_ = nullptr;
  KeepBallots();
  const double loss_sum = losses_->root().sum;
  if (!std::isfinite(loss_sum)) {
    End(v1::FAILED, DivergenceReason(loss_sum / static_cast<double>(examples)),
        /*with_checkpoint=*/false);
    return;
  }
  store_->CommitStep();
  ledger_.Commit(step_);
  disputes_.erase(step_);
  ++step_;
  for (auto& entry : participants_) {
    if (entry.second.follows) entry.second.version = step_;
  }
  const absl::Time now = now_();
  const absl::Duration duration = now - round_started_;
  if (last_commit_.has_value()) longest_pause_ = std::max(longest_pause_, now - *last_commit_);
  last_commit_ = now;
  measurements_.Add(now, duration, examples, loss_sum);
  const bool keeps_state = plan_.EndsEpoch(step_) || CheckpointIsDue(now);
  // The next loss would show it, but a checkpoint, or the job's end, comes before.
  if (keeps_state && !store_->IsFinite()) {
    End(v1::FAILED,
        absl::StrCat("parameters after step ", step_,
                     ": got infinity or NaN, want finite numbers (a smaller learning rate may "
                     "help)"),
        /*with_checkpoint=*/false);
    return;
  }
  const uint64_t digest_interval = spec_.tensor_digests().interval_steps();
  if (keeps_state || (digest_interval > 0 && step_ % digest_interval == 0)) RecordDigest();
  if (plan_.EndsEpoch(step_)) {
    if (plan_.validation_examples > 0) {
      kind_ = v1::EVALUATE;
      Advance();
    } else {
      EndEpoch(std::nullopt);
    }
    return;
  }
  if (keeps_state) host_->OnCheckpoint(job_id_, Snapshot());
  Advance();
}

bool JobRunner::CheckpointIsDue(absl::Time now) const {
  const v1::Checkpoint& policy = spec_.checkpoint();
  if (policy.interval_steps() > 0 && step_ % policy.interval_steps() == 0) return true;
  return policy.interval_seconds() > 0 &&
         now - last_checkpoint_ >= absl::Seconds(policy.interval_seconds());
}

void JobRunner::EndEpoch(std::optional<Losses> validation) {
  host_->OnEpoch(job_id_, measurements_.EndEpoch(step_, validation));
  // At the job's end, and before a stop, End keeps the state itself.
  if (step_ < plan_.total_steps && !stop_.has_value()) {
    Checkpoint checkpoint = Snapshot();
    checkpoint.is_best = measurements_.newest_is_best();
    host_->OnCheckpoint(job_id_, std::move(checkpoint));
  }
  Advance();
}

}  // namespace lockstep::server
