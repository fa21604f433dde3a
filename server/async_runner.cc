#include "server/async_runner.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/kernels/bfloat16.h"
#include "engine/shard_tree.h"

namespace lockstep::server {

// ---- what is there to do

uint64_t AsyncRunner::ExamplesOf(uint64_t ticket) const {
  const int shard = static_cast<int>(ticket % static_cast<uint64_t>(plan_.shards));
  const auto examples = static_cast<int64_t>(plan_.Place(StepOf(ticket)).examples);
  return static_cast<uint64_t>(ShardBegin(shard + 1, plan_.shards, examples) -
                               ShardBegin(shard, plan_.shards, examples));
}

uint64_t AsyncRunner::NextStop() const {
  const uint64_t epoch_end = (step_ / plan_.steps_per_epoch + 1) * plan_.steps_per_epoch;
  uint64_t stop = std::min(epoch_end, last_step_);
  // A log holds whole stretches up to there; between them it may have any order.
  if (order_->replays()) return stop;
  const uint64_t interval = spec_.checkpoint().interval_steps();
  if (interval > 0) stop = std::min(stop, (step_ / interval + 1) * interval);
  stop = std::min(stop, checkpoint_step_.value_or(stop));
  return std::min(stop, stop_step_.value_or(stop));
}

bool AsyncRunner::IsAtStop() {
  const uint64_t end = NextStop() * static_cast<uint64_t>(plan_.shards);
  order_->PassOverEmpty(end, [this](uint64_t ticket) { return ExamplesOf(ticket) == 0; });
  return order_->IsDone(end);
}

bool AsyncRunner::EndIfDone() {
  const bool idle = std::none_of(participants_.begin(), participants_.end(),
                                 [](const auto& entry) { return entry.second.work.has_value(); });
  if (stop_.has_value() && idle && (losses_ != nullptr || stop_step_ == step_)) {
    End(stop_->first, stop_->second, /*with_checkpoint=*/true);
  } else if (losses_ == nullptr && step_ >= last_step_) {
    End(v1::SUCCEEDED, "", /*with_checkpoint=*/true);
  } else if (stop_.has_value() && participants_.CountReady() == 0 && idle) {
    // What is missing to the end of the step will not come.
    End(stop_->first, stop_->second, /*with_checkpoint=*/false);
  }
  return ended_;
}

void AsyncRunner::Advance() {
  if (ended_ || EndIfDone()) return;
  const bool enough =
      stop_.has_value() || (hold_.empty() && participants_.CountReady() >= spec_.workers().min());
  SetWaiting(!enough);
  if (!enough) return;
  for (auto& entry : participants_) {
    if (!entry.second.may_work() || entry.second.work.has_value()) continue;
    if (!GiveWork(entry.second)) break;
  }
}

bool AsyncRunner::GiveWork(Participant& participant) {
  Work work;
  work.asked_at = now_();
  if (losses_ != nullptr) {
    if (shards_to_evaluate_.empty() || stop_.has_value()) return false;
    work.shard = shards_to_evaluate_.back();
    shards_to_evaluate_.pop_back();
    participant.work = std::move(work);
    Send(participant, v1::EVALUATE, step_, order_->updates());
    return true;
  }
  const uint64_t end = NextStop() * static_cast<uint64_t>(plan_.shards);
  const auto ticket =
      order_->Take(end, [this](uint64_t number) { return ExamplesOf(number) == 0; });
  if (!ticket.has_value()) return false;
  work.ticket = *ticket;
  work.shard = static_cast<int>(ticket->number % static_cast<uint64_t>(plan_.shards));
  work.chunks.resize(store_->chunk_count());
  work.missing = store_->chunk_count();
  if (!at_work_) last_update_ = work.asked_at;
  at_work_ = true;
  participant.work = std::move(work);
  Send(participant, v1::TRAIN, StepOf(ticket->number), ticket->base);
  return true;
}

void AsyncRunner::SendParameters(Participant& participant, uint64_t version) {
  const auto kept = versions_.find(version);
  for (int chunk = 0; chunk < store_->chunk_count(); ++chunk) {
    v1::ServerMessage message;
    message.mutable_parameter_chunk()->set_job_id(job_id_);
    message.mutable_parameter_chunk()->set_version(version);
    message.mutable_parameter_chunk()->set_chunk(chunk);
    participant.link->Send(
        message, kept == versions_.end() ? store_->CurrentChunk(chunk) : kept->second[chunk]);
  }
  participant.version = version;
}

void AsyncRunner::Send(Participant& participant, v1::RoundKind kind, uint64_t step,
                       uint64_t version) {
  if (participant.version != version) SendParameters(participant, version);
  participant.round = ++round_;
  v1::ServerMessage message;
  v1::Round& round = *message.mutable_round();
  round.set_job_id(job_id_);
  round.set_round(round_);
  round.set_kind(kind);
  round.set_step(step);
  round.set_version(version);
  round.set_learning_rate_factor(1);
  round.add_nodes()->set_first_shard(participant.work->shard);
  round.mutable_nodes(0)->set_end_shard(participant.work->shard + 1);
  participant.link->Send(message);
}

void AsyncRunner::TakeBack(Participant& participant) {
  if (!participant.work.has_value()) return;
  if (losses_ != nullptr) {
    shards_to_evaluate_.push_back(participant.work->shard);
  } else {
    order_->GiveBack(participant.work->ticket);
  }
  participant.work.reset();
}

// ---- what workers answer

bool AsyncRunner::IsLate(const Participant& participant, uint64_t round) {
  const bool late = round <= round_ && (!participant.work.has_value() || round < participant.round);
  if (late) ++answers_dropped_;
  return late;
}

absl::Status AsyncRunner::OnGradientChunk(const std::string& name, const v1::GradientChunk& message,
                                          Tensor values) {
  // It waits for the rest of its gradient, longer than a worker's memory is lent.
  if (values.storage()->foreign()) values = values.Clone();
  if (spec_.gradient_format() == v1::GRADIENT_FORMAT_BFLOAT16) {
    // Through shared memory they come before they are rounded.
    kernels::RoundToBfloat16(values.span<float>());
  }
  absl::MutexLock lock(&mutex_);
  Participant* const found = participants_.Find(name);
  if (ended_ || found == nullptr) return absl::OkStatus();
  if (IsLate(*found, message.round())) return absl::OkStatus();
  std::optional<Work>& work = found->work;
  const bool its_own = work.has_value() && losses_ == nullptr && message.round() == found->round &&
                       static_cast<int>(message.first_shard()) == work->shard &&
                       static_cast<int>(message.end_shard()) == work->shard + 1;
  if (!its_own) {
    return absl::InvalidArgumentError(absl::StrCat("gradient_chunk: got shards [",
                                                   message.first_shard(), ", ", message.end_shard(),
                                                   "), want a node that was handed out"));
  }
  if (message.chunk() >= static_cast<uint32_t>(store_->chunk_count()) ||
      values.element_count() != store_->ChunkElements(static_cast<int>(message.chunk()))) {
    return absl::InvalidArgumentError(absl::StrCat(
        "gradient_chunk: got chunk ", message.chunk(), " with ", values.element_count(),
        " elements, want one of ", store_->chunk_count(), " chunks, whole"));
  }
  Tensor& chunk = work->chunks[message.chunk()];
  if (chunk.defined()) return absl::OkStatus();
  --work->missing;
  chunk = std::move(values);
  return absl::OkStatus();
}

absl::Status AsyncRunner::CheckNodeResult(const Work& work, const v1::NodeResult& message) const {
  if (static_cast<int>(message.first_shard()) != work.shard ||
      static_cast<int>(message.end_shard()) != work.shard + 1 || work.missing > 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("node_result: got shards [", message.first_shard(), ", ", message.end_shard(),
                     "), want a node that was handed out and whose chunks have all been sent"));
  }
  const auto all = static_cast<int64_t>(plan_.validation_examples);
  const uint64_t want = losses_ != nullptr
                            ? static_cast<uint64_t>(ShardBegin(work.shard + 1, plan_.shards, all) -
                                                    ShardBegin(work.shard, plan_.shards, all))
                            : ExamplesOf(work.ticket.number);
  if (message.examples() != want || message.predictions() > want * plan_.labels_per_example ||
      message.correct() > message.predictions()) {
    return absl::InvalidArgumentError(
        absl::StrCat("node_result: got ", message.examples(), " examples and ", message.correct(),
                     " of ", message.predictions(), " answers right, want ", want, " examples"));
  }
  return absl::OkStatus();
}

absl::Status AsyncRunner::OnNodeResult(const std::string& name, const v1::NodeResult& message) {
  absl::MutexLock lock(&mutex_);
  Participant* const found = participants_.Find(name);
  if (ended_ || found == nullptr) return absl::OkStatus();
  Participant& participant = *found;
  if (IsLate(participant, message.round())) return absl::OkStatus();
  if (!participant.work.has_value() || message.round() != participant.round) {
    return absl::InvalidArgumentError(
        absl::StrCat("node_result: got round ", message.round(), ", want ", participant.round));
  }
  if (message.skipped()) {
    // It lacks the parameters that it was sent: with its next work it gets them again.
    participant.version.reset();
    TakeBack(participant);
    Advance();
    return absl::OkStatus();
  }
  const absl::Status status = CheckNodeResult(*participant.work, message);
  if (!status.ok()) return status;
  Work work = *std::exchange(participant.work, std::nullopt);
  const bool evaluates = losses_ != nullptr;
  WorkPace& pace = evaluates ? validation_pace_ : training_pace_;
  pace.Add(now_() - work.asked_at, 1);
  if (participant.leaving) {
    participants_.Erase(name);
    host_->OnWorkerReleased(job_id_, name);
  }
  if (!std::isfinite(message.loss_sum()) && !evaluates) {
    const auto examples = static_cast<double>(ExamplesOf(work.ticket.number));
    constexpr size_t kLongestAnomaly = 1000;
    const bool says = !message.anomaly().empty() && message.anomaly().size() <= kLongestAnomaly;
    End(v1::FAILED,
        absl::StrCat("training loss is ", message.loss_sum() / examples, " at step ",
                     StepOf(work.ticket.number), ", want a finite number; worker ", name,
                     says ? ": " + message.anomaly() : "", " (a smaller learning rate may help)"),
        /*with_checkpoint=*/false);
    return absl::OkStatus();
  }
  work.loss_sum = message.loss_sum();
  if (evaluates) {
    EvaluationArrived(work, message);
  } else {
    Arrived(std::move(work));
  }
  Advance();
  return absl::OkStatus();
}

void AsyncRunner::EvaluationArrived(const Work& work, const v1::NodeResult& message) {
  losses_->Add({work.shard, work.shard + 1},
               {message.loss_sum(), message.correct(), message.predictions()});
  if (!losses_->complete()) return;
  const Losses losses = losses_->root();
  losses_.reset();
  EndEpoch(losses);
}

// ---- updates

void AsyncRunner::Arrived(Work work) {
  if (!order_->replays()) {
    Apply(std::move(work));
  } else {
    const uint64_t update = *work.ticket.update;
    early_[update] = std::move(work);
    while (!early_.empty() && early_.begin()->first == order_->updates()) {
      Work next = std::move(early_.begin()->second);
      early_.erase(early_.begin());
      Apply(std::move(next));
    }
  }
  if (IsAtStop()) ReachStop();
}

void AsyncRunner::Apply(Work work) {
  if (order_->replays()) {
    std::vector<Tensor>& kept = versions_[order_->updates()];
    for (int chunk = 0; chunk < store_->chunk_count(); ++chunk) {
      kept.push_back(store_->CurrentChunk(chunk));
    }
  }
  UpdateParameters(work);
  Measure(work);
  arrivals_.add_tickets(work.ticket.number);
  arrivals_.add_bases(work.ticket.base);
  order_->Apply(work.ticket);
  if (order_->replays()) {
    versions_.erase(versions_.begin(), versions_.lower_bound(order_->oldest_base()));
    return;
  }
  const double seconds = spec_.checkpoint().interval_seconds();
  if (seconds > 0 && !checkpoint_step_.has_value() &&
      last_update_ - last_checkpoint_ >= absl::Seconds(seconds)) {
    checkpoint_step_ = order_->end_of_begun();
  }
}

void AsyncRunner::UpdateParameters(const Work& work) {
  optim::UpdateStep update;
  update.step = earlier_updates_ + order_->updates();
  update.batch_size = static_cast<double>(ExamplesOf(work.ticket.number));
  update.learning_rate_factor =
      schedule_.Factor(StepOf(work.ticket.number), plan_.total_steps, plan_.steps_per_epoch,
                       measurements_.plateau_factor());
  store_->BeginStep();
  for (int chunk = 0; chunk < store_->chunk_count(); ++chunk) {
    if (store_->NeedsWholeGradient()) {
      store_->KeepChunk(chunk, work.chunks[chunk]);
    } else {
      store_->ApplyChunk(chunk, work.chunks[chunk], update);
    }
  }
  if (store_->NeedsWholeGradient()) store_->ApplyAll(update);
  store_->CommitStep();
}

void AsyncRunner::Measure(const Work& work) {
  const uint64_t step = StepOf(work.ticket.number);
  // A replay goes through the same order, and sees the same.
  staleness_.Add(order_->updates() - work.ticket.base, step - std::min(step, ledger_.next_step()));
  ledger_.RecordAlone(step, work.shard);
  const absl::Time now = now_();
  longest_pause_ = std::max(longest_pause_, now - last_update_);
  measurements_.Add(now, now - last_update_, ExamplesOf(work.ticket.number), work.loss_sum);
  last_update_ = now;
}

}  // namespace lockstep::server
