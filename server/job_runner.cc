#include "server/job_runner.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/kernels/bfloat16.h"
#include "engine/tensor_digest.h"
#include "server/shard_assignment.h"

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
  for (const auto& entry : found->second.outstanding) freed_.push_back(entry.first);
  participants_.erase(found);
  if (ended_) return;
  if (in_round_) {
    HandOutFreedNodes();
  } else {
    Advance();
  }
}

void JobRunner::ReleaseWorker(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  const auto found = participants_.find(name);
  if (found != participants_.end()) {
    found->second.leaving = true;
    if (in_round_ && !found->second.outstanding.empty()) return;
    participants_.erase(found);
  }
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
  if (in_round_) {
    HandOutFreedNodes();
  } else {
    Advance();
  }
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
    if (entry.second.ready && !entry.second.leaving) names.push_back(entry.first);
  }
  return names;
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
  const bool enough = ReadyWorkers().size() >= spec_.workers().min();
  SetWaiting(!enough);
  if (enough) StartRound();
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
  correct_ = predictions_ = 0;
  anomalies_.clear();
  losses_ = std::make_unique<LossTree>(plan_.shards);
  if (kind_ == v1::TRAIN) {
    store_->BeginStep();
    optim::UpdateStep update;
    update.step = step_;
    update.batch_size = static_cast<double>(RoundExamples());
    learning_rate_factor_ =
        schedule_.Factor(step_, plan_.total_steps, plan_.steps_per_epoch, plateau_.factor());
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
    entry.second.follows = false;
    entry.second.outstanding.clear();
    entry.second.first_shard = entry.second.end_shard = 0;
  }
  const std::vector<std::string> names = WorkersForRound();
  HandOut(names, AssignShards(plan_.shards, static_cast<int>(names.size())));
}

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
    if (participant.outstanding.empty()) participant.first_shard = nodes[i].front().first;
    for (const ShardNode& node : MaybeCut(nodes[i])) {
      v1::ShardRange& range = *round.add_nodes();
      range.set_first_shard(node.first);
      range.set_end_shard(node.end);
      Outstanding& outstanding = participant.outstanding[node];
      outstanding.missing = kind_ == v1::TRAIN ? store_->chunk_count() : 0;
      outstanding.chunks.assign(outstanding.missing, false);
      participant.end_shard = node.end;
    }
    participant.link->Send(message);
  }
}

void JobRunner::HandOutFreedNodes() {
  if (freed_.empty()) return;
  if (stop_.has_value() && ReadyWorkers().empty()) {
    // The step will not be finished. Where the optimizer's state is already
    // part of the next step's, the last checkpoint is the best there is.
    const bool untouched = chunks_done_ == 0 && chunks_in_flight_ == 0;
    End(stop_->first, stop_->second, /*with_checkpoint=*/untouched);
    return;
  }
  const std::vector<std::string> names = ReadyWorkers();
  // A job that is to stop finishes its step with whoever is there.
  const bool enough = stop_.has_value() || names.size() >= spec_.workers().min();
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

std::vector<std::string> JobRunner::WorkersForRound() const {
  std::vector<std::string> names = ReadyWorkers();
  std::vector<std::string> abreast;
  for (const std::string& name : names) {
    if (!IsBehind(participants_.at(name))) abreast.push_back(name);
  }
  return abreast.empty() ? names : abreast;
}

// ---- what workers answer

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
  const bool wants_digest = spec_.tensor_digests().shards() && node.size() == 1;
  const uint64_t digest = wants_digest ? DigestOfGradient(values) : 0;
  std::shared_ptr<StepAggregation> aggregation;
  {
    absl::MutexLock lock(&mutex_);
    if (ended_ || !in_round_ || kind_ != v1::TRAIN || message.step() != step_) {
      return absl::OkStatus();
    }
    const auto found = participants_.find(name);
    if (found == participants_.end()) return absl::OkStatus();
    const auto outstanding = found->second.outstanding.find(node);
    if (outstanding == found->second.outstanding.end()) {
      return absl::InvalidArgumentError(absl::StrCat("gradient_chunk: got shards [", node.first,
                                                     ", ", node.end,
                                                     "), want a node that was handed out"));
    }
    if (message.chunk() >= static_cast<uint32_t>(store_->chunk_count()) ||
        values.element_count() != store_->ChunkElements(message.chunk())) {
      return absl::InvalidArgumentError(absl::StrCat(
          "gradient_chunk: got chunk ", message.chunk(), " with ", values.element_count(),
          " elements, want one of ", store_->chunk_count(), " chunks, whole"));
    }
    if (outstanding->second.chunks[message.chunk()]) return absl::OkStatus();
    outstanding->second.chunks[message.chunk()] = true;
    --outstanding->second.missing;
    if (wants_digest) {
      const size_t row = static_cast<size_t>(node.first) * store_->chunk_count();
      shard_chunk_digests_[row + message.chunk()] = digest;
    }
    aggregation = aggregation_;
    ++chunks_in_flight_;
  }
  const auto complete = aggregation->Add(message.chunk(), node, std::move(values));
  absl::MutexLock lock(&mutex_);
  --chunks_in_flight_;
  if (ended_ || aggregation != aggregation_) return absl::OkStatus();
  for (int chunk = complete.first; chunk < complete.end; ++chunk) {
    PublishChunk(chunk);
    ++chunks_done_;
  }
  if (complete.first < complete.end) FinishRoundIfDone();
  return absl::OkStatus();
}

absl::Status JobRunner::OnNodeResult(const std::string& name, const v1::NodeResult& message) {
  absl::MutexLock lock(&mutex_);
  if (ended_ || !in_round_ || message.round() != round_) return absl::OkStatus();
  const auto found = participants_.find(name);
  if (found == participants_.end()) return absl::OkStatus();
  const ShardNode node{static_cast<int>(message.first_shard()),
                       static_cast<int>(message.end_shard())};
  const auto outstanding = found->second.outstanding.find(node);
  if (outstanding == found->second.outstanding.end() || outstanding->second.missing > 0) {
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
  constexpr size_t kLongestAnomaly = 1000;
  if (!message.anomaly().empty() && message.anomaly().size() <= kLongestAnomaly) {
    anomalies_[node] = absl::StrCat("worker ", name, ": ", message.anomaly());
  }
  found->second.outstanding.erase(outstanding);
  if (found->second.leaving && found->second.outstanding.empty()) {
    participants_.erase(found);
    host_->OnWorkerReleased(job_id_, name);
  }
  if (losses_->Add(node, message.loss_sum()) != ReductionResult::kDuplicate) {
    correct_ += message.correct();
    predictions_ += message.predictions();
  }
  FinishRoundIfDone();
  return absl::OkStatus();
}

void JobRunner::FinishRoundIfDone() {
  if (!in_round_ || !losses_->complete()) return;
  if (kind_ == v1::TRAIN) {
    if (chunks_done_ == store_->chunk_count()) CommitStep();
    return;
  }
  in_round_ = false;
  kind_ = v1::TRAIN;
  EndEpoch(losses_->root());
}

void JobRunner::CommitStep() {
  const uint64_t examples = RoundExamples();
  in_round_ = false;
  aggregation_ = nullptr;
  const double loss_sum = losses_->root();
  training_loss_ = loss_sum / static_cast<double>(examples);
  if (!std::isfinite(loss_sum)) {
    End(v1::FAILED, DivergenceReason(), /*with_checkpoint=*/false);
    return;
  }
  store_->CommitStep();
  ++step_;
  for (auto& entry : participants_) {
    if (entry.second.follows) entry.second.version = step_;
  }
  const absl::Time now = now_();
  const absl::Duration duration = now - round_started_;
  throughput_.Add(now, duration, examples);
  training_seconds_ += absl::ToDoubleSeconds(duration);
  epoch_seconds_ += absl::ToDoubleSeconds(duration);
  epoch_loss_sum_ += loss_sum;
  epoch_examples_ += examples;
  const uint64_t interval = spec_.checkpoint().interval_steps();
  const bool keeps_state = plan_.EndsEpoch(step_) || (interval > 0 && step_ % interval == 0);
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

void JobRunner::EndEpoch(std::optional<double> validation_loss_sum) {
  v1::EpochMetrics metrics;
  metrics.set_step(step_);
  metrics.set_epoch((step_ + plan_.steps_per_epoch - 1) / plan_.steps_per_epoch);
  const double examples = static_cast<double>(std::max<uint64_t>(epoch_examples_, 1));
  metrics.set_training_loss(epoch_loss_sum_ / examples);
  metrics.set_examples_per_second(epoch_seconds_ > 0 ? examples / epoch_seconds_ : 0);
  if (validation_loss_sum.has_value()) {
    const double count = static_cast<double>(plan_.validation_examples);
    metrics.set_validation_loss(*validation_loss_sum / count);
    plateau_.Observe(step_, metrics.validation_loss());
    if (predictions_ > 0) {
      metrics.set_validation_accuracy(static_cast<double>(correct_) /
                                      static_cast<double>(predictions_));
    }
  }
  epochs_.push_back(metrics);
  measured_step_ = step_;
  epoch_loss_sum_ = epoch_seconds_ = 0;
  epoch_examples_ = 0;
  host_->OnEpoch(job_id_, metrics);
  // At the job's end, and before a stop, End keeps the state itself.
  if (step_ < plan_.total_steps && !stop_.has_value()) host_->OnCheckpoint(job_id_, Snapshot());
  Advance();
}

}  // namespace lockstep::server
