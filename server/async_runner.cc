#include "server/async_runner.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/model/build_optimizer.h"
#include "engine/tensor_digest.h"

namespace lockstep::server {
namespace {

// Metadata of a checkpoint, beside a plateau's.
constexpr char kUpdates[] = "updates";
constexpr char kEarlierUpdates[] = "earlier_updates";
constexpr char kMeasuredStep[] = "measured_step";
constexpr char kTrainingSeconds[] = "training_seconds";
constexpr char kEpochLossSum[] = "epoch_loss_sum";
constexpr char kEpochExamples[] = "epoch_examples";
constexpr char kEpochSeconds[] = "epoch_seconds";

double NumberOf(const std::map<std::string, std::string>& metadata, const char* key) {
  double value = 0;
  const auto found = metadata.find(key);
  return found != metadata.end() && absl::SimpleAtod(found->second, &value) ? value : 0;
}

// Reads back exactly.
std::string ExactText(double value) { return absl::StrFormat("%.17g", value); }

uint64_t CountOf(const std::map<std::string, std::string>& metadata, const char* key) {
  uint64_t count = 0;
  const auto found = metadata.find(key);
  return found != metadata.end() && absl::SimpleAtoi(found->second, &count) ? count : 0;
}

std::optional<uint64_t> StalenessOf(const v1::JobSpec& spec) {
  if (!spec.consistency().has_bounded_staleness()) return std::nullopt;
  return spec.consistency().bounded_staleness();
}

}  // namespace

absl::StatusOr<std::shared_ptr<AsyncRunner>> AsyncRunner::Create(Options options) {
  auto store = JobRunner::MakeStore(options.job.spec, options.job.layers);
  if (!store.ok()) return store.status();
  const std::optional<Checkpoint> checkpoint = std::move(options.job.checkpoint);
  const auto initial = std::move(options.job.initial_parameters);
  const bool is_forked = options.job.checkpoint_is_forked;
  const v1::Arrivals replay = options.replay;
  std::shared_ptr<AsyncRunner> runner(new AsyncRunner(std::move(options), *std::move(store)));
  absl::MutexLock lock(&runner->mutex_);
  absl::Status status;
  if (checkpoint.has_value()) {
    status = runner->Restore(*checkpoint, is_forked);
  } else if (initial.has_value()) {
    status = runner->store_->LoadParameters(*initial);
  }
  if (!status.ok()) return status;
  if (replay.tickets().empty()) return runner;
  std::vector<Arrival> log;
  // Those that its own checkpoint has behind it are done.
  for (auto i = static_cast<int>(runner->order_->updates()); i < replay.tickets_size(); ++i) {
    log.push_back({replay.tickets(i), replay.bases(i)});
  }
  runner->order_->Replay(std::move(log));
  runner->last_step_ = replay.step();
  return runner;
}

AsyncRunner::AsyncRunner(Options options, std::unique_ptr<ParameterStore> store)
    : job_id_(std::move(options.job.job_id)),
      spec_(std::move(options.job.spec)),
      plan_(JobPlan::For(spec_)),
      now_(std::move(options.job.now)),
      host_(options.job.host),
      schedule_(MakeSchedule(spec_.learning_rate_schedule())),
      store_(std::move(store)),
      order_(std::make_unique<ArrivalOrder>(plan_.shards, StalenessOf(spec_), 0, 0)),
      last_step_(plan_.total_steps),
      waiting_since_(now_()),
      epochs_(std::move(options.job.epochs)),
      plateau_(MakePlateau(spec_.learning_rate_schedule())) {}

absl::Status AsyncRunner::Restore(const Checkpoint& checkpoint, bool is_forked) {
  const uint64_t most = is_forked ? plan_.total_steps - 1 : plan_.total_steps;
  if (checkpoint.step > most) {
    return absl::InvalidArgumentError(
        absl::StrCat("checkpoint: got step ", checkpoint.step, ", want at most ", most));
  }
  if (auto status = store_->LoadParameters(checkpoint.parameters); !status.ok()) return status;
  if (!(is_forked && spec_.forked_from().fresh_optimizer())) {
    const absl::Status status = store_->LoadOptimizerState(checkpoint.optimizer_state);
    if (!status.ok()) return status;
  }
  step_ = checkpoint.step;
  // A forked job counts its own updates; what the optimizer has seen before
  // them counts for its bias correction.
  uint64_t updates = CountOf(checkpoint.metadata, kUpdates);
  earlier_updates_ = CountOf(checkpoint.metadata, kEarlierUpdates);
  if (is_forked) {
    const bool was_sync = checkpoint.metadata.count(kUpdates) == 0;
    earlier_updates_ += was_sync ? checkpoint.step : updates;
    if (spec_.forked_from().fresh_optimizer()) earlier_updates_ = 0;
    updates = 0;
  }
  order_ = std::make_unique<ArrivalOrder>(plan_.shards, StalenessOf(spec_),
                                          step_ * static_cast<uint64_t>(plan_.shards), updates);
  plateau_.Load(checkpoint.metadata);
  if (checkpoint.metadata.count(kMeasuredStep) > 0) {
    measured_step_ = CountOf(checkpoint.metadata, kMeasuredStep);
  }
  if (plan_.EndsEpoch(step_) && plan_.validation_examples > 0 && measured_step_ != step_) {
    BeginEvaluation();
  }
  // Another job's time and losses are not this one's.
  if (is_forked) return absl::OkStatus();
  epoch_loss_sum_ = NumberOf(checkpoint.metadata, kEpochLossSum);
  epoch_examples_ = CountOf(checkpoint.metadata, kEpochExamples);
  epoch_seconds_ = NumberOf(checkpoint.metadata, kEpochSeconds);
  training_seconds_ = NumberOf(checkpoint.metadata, kTrainingSeconds);
  return absl::OkStatus();
}

// ---- workers come and go

void AsyncRunner::AddWorker(const std::string& name, std::shared_ptr<WorkerLink> link) {
  absl::MutexLock lock(&mutex_);
  v1::ServerMessage message;
  message.mutable_prepare_job()->set_job_id(job_id_);
  *message.mutable_prepare_job()->mutable_spec() = spec_;
  message.mutable_prepare_job()->set_chunk_elements(kChunkElements);
  link->Send(message);
  participants_[name].link = std::move(link);
}

void AsyncRunner::TakeBack(Participant& participant) {
  if (!participant.work.has_value()) return;
  if (losses_ != nullptr) {
    shards_to_evaluate_.push_back(participant.work->shard.first);
  } else {
    order_->GiveBack(participant.work->ticket);
  }
  participant.work.reset();
}

void AsyncRunner::RemoveWorker(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  const auto found = participants_.find(name);
  if (found == participants_.end()) return;
  TakeBack(found->second);
  participants_.erase(found);
  Advance();
}

void AsyncRunner::ReleaseWorker(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  const auto found = participants_.find(name);
  if (found != participants_.end()) {
    found->second.leaving = true;
    if (!ended_ && found->second.work.has_value()) return;
    participants_.erase(found);
  }
  host_->OnWorkerReleased(job_id_, name);
  Advance();
}

absl::Status AsyncRunner::OnJobReady(const std::string& name, const v1::JobReady& message) {
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
  Advance();
  return absl::OkStatus();
}

void AsyncRunner::NoteRefusal(const std::string& name, const std::string& message) {
  absl::MutexLock lock(&mutex_);
  refusals_[name] = message;
}

void AsyncRunner::ForgetRefusal(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  refusals_.erase(name);
}

size_t AsyncRunner::CountReady() const {
  return std::count_if(participants_.begin(), participants_.end(), [](const auto& entry) {
    return entry.second.ready && !entry.second.leaving;
  });
}

void AsyncRunner::SetWaiting(bool waiting) {
  if (waiting == waiting_ && (waiting || announced_)) return;
  if (waiting && !waiting_) waiting_since_ = now_();
  waiting_ = waiting;
  if (waiting && !announced_) return;
  announced_ = true;
  host_->OnRunning(job_id_, waiting ? WaitingReason() : "");
}

// ---- work

uint64_t AsyncRunner::ExamplesOf(uint64_t ticket) const {
  const int shard = static_cast<int>(ticket % static_cast<uint64_t>(plan_.shards));
  const auto examples = static_cast<int64_t>(plan_.Place(StepOf(ticket)).examples);
  return static_cast<uint64_t>(ShardBegin(shard + 1, plan_.shards, examples) -
                               ShardBegin(shard, plan_.shards, examples));
}

uint64_t AsyncRunner::NextStop() const {
  const uint64_t epoch_end = (step_ / plan_.steps_per_epoch + 1) * plan_.steps_per_epoch;
  uint64_t stop = std::min(epoch_end, last_step_);
  if (order_->replays()) return stop;
  const uint64_t interval = spec_.checkpoint().interval_steps();
  if (interval > 0) stop = std::min(stop, (step_ / interval + 1) * interval);
  return std::min(stop, stop_step_.value_or(stop));
}

void AsyncRunner::Advance() {
  if (ended_) return;
  const bool idle = std::none_of(participants_.begin(), participants_.end(),
                                 [](const auto& entry) { return entry.second.work.has_value(); });
  if (stop_.has_value() && idle && (losses_ != nullptr || stop_step_ == step_)) {
    return End(stop_->first, stop_->second, /*with_checkpoint=*/true);
  }
  if (losses_ == nullptr && step_ >= last_step_) return End(v1::SUCCEEDED, "", true);
  if (stop_.has_value() && CountReady() == 0) {
    // What is missing to the end of the step will not come.
    return End(stop_->first, stop_->second, /*with_checkpoint=*/false);
  }
  const bool enough = stop_.has_value() || CountReady() >= spec_.workers().min();
  SetWaiting(!enough);
  if (!enough) return;
  for (auto& entry : participants_) {
    if (!entry.second.ready || entry.second.leaving || entry.second.work.has_value()) continue;
    if (!GiveWork(entry.second)) break;
  }
}

bool AsyncRunner::GiveWork(Participant& participant) {
  Work work;
  if (losses_ != nullptr) {
    if (shards_to_evaluate_.empty()) return false;
    const int shard = shards_to_evaluate_.back();
    shards_to_evaluate_.pop_back();
    work.shard = {shard, shard + 1};
    participant.work = std::move(work);
    Send(participant, v1::EVALUATE, step_, order_->updates());
    return true;
  }
  const uint64_t end = NextStop() * static_cast<uint64_t>(plan_.shards);
  const auto ticket =
      order_->Take(end, [this](uint64_t number) { return ExamplesOf(number) == 0; });
  if (!ticket.has_value()) return false;
  const int shard = static_cast<int>(ticket->number % static_cast<uint64_t>(plan_.shards));
  work.ticket = *ticket;
  work.shard = {shard, shard + 1};
  work.chunks.resize(store_->chunk_count());
  work.missing = store_->chunk_count();
  participant.work = std::move(work);
  if (stretch_began_ == absl::Time()) stretch_began_ = last_update_ = now_();
  Send(participant, v1::TRAIN, StepOf(ticket->number), ticket->base);
  return true;
}

void AsyncRunner::Send(Participant& participant, v1::RoundKind kind, uint64_t step,
                       uint64_t version) {
  const auto kept = versions_.find(version);
  if (participant.version != version) {
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
  participant.round = ++round_;
  v1::ServerMessage message;
  v1::Round& round = *message.mutable_round();
  round.set_job_id(job_id_);
  round.set_round(round_);
  round.set_kind(kind);
  round.set_step(step);
  round.set_version(version);
  round.set_learning_rate_factor(1);
  round.add_nodes()->set_first_shard(participant.work->shard.first);
  round.mutable_nodes(0)->set_end_shard(participant.work->shard.end);
  participant.link->Send(message);
}

// ---- what workers answer

absl::Status AsyncRunner::OnGradientChunk(const std::string& name, const v1::GradientChunk& message,
                                          Tensor values) {
  absl::MutexLock lock(&mutex_);
  const auto found = participants_.find(name);
  if (ended_ || found == participants_.end()) return absl::OkStatus();
  std::optional<Work>& work = found->second.work;
  const bool its_own = work.has_value() && losses_ == nullptr &&
                       message.step() == StepOf(work->ticket.number) &&
                       static_cast<int>(message.first_shard()) == work->shard.first &&
                       static_cast<int>(message.end_shard()) == work->shard.end;
  if (!its_own) {
    return absl::InvalidArgumentError(absl::StrCat("gradient_chunk: got shards [",
                                                   message.first_shard(), ", ", message.end_shard(),
                                                   "), want a node that was handed out"));
  }
  if (message.chunk() >= static_cast<uint32_t>(store_->chunk_count()) ||
      values.element_count() != store_->ChunkElements(message.chunk())) {
    return absl::InvalidArgumentError(absl::StrCat(
        "gradient_chunk: got chunk ", message.chunk(), " with ", values.element_count(),
        " elements, want one of ", store_->chunk_count(), " chunks, whole"));
  }
  Tensor& chunk = work->chunks[message.chunk()];
  if (!chunk.defined()) --work->missing;
  chunk = std::move(values);
  return absl::OkStatus();
}

absl::Status AsyncRunner::OnNodeResult(const std::string& name, const v1::NodeResult& message) {
  absl::MutexLock lock(&mutex_);
  const auto found = participants_.find(name);
  if (ended_ || found == participants_.end()) return absl::OkStatus();
  Participant& participant = found->second;
  if (!participant.work.has_value() || message.round() != participant.round ||
      static_cast<int>(message.first_shard()) != participant.work->shard.first ||
      static_cast<int>(message.end_shard()) != participant.work->shard.end ||
      participant.work->missing > 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("node_result: got shards [", message.first_shard(), ", ", message.end_shard(),
                     "), want a node that was handed out and whose chunks have all been sent"));
  }
  const bool evaluates = losses_ != nullptr;
  const auto all = static_cast<int64_t>(plan_.validation_examples);
  const ShardNode shard = participant.work->shard;
  const uint64_t want = evaluates
                            ? static_cast<uint64_t>(ShardBegin(shard.end, plan_.shards, all) -
                                                    ShardBegin(shard.first, plan_.shards, all))
                            : ExamplesOf(participant.work->ticket.number);
  if (message.examples() != want || message.predictions() > want * plan_.labels_per_example ||
      message.correct() > message.predictions()) {
    return absl::InvalidArgumentError(
        absl::StrCat("node_result: got ", message.examples(), " examples and ", message.correct(),
                     " of ", message.predictions(), " answers right, want ", want, " examples"));
  }
  Work work = *std::exchange(participant.work, std::nullopt);
  if (participant.leaving) {
    participants_.erase(found);
    host_->OnWorkerReleased(job_id_, name);
  }
  if (!std::isfinite(message.loss_sum()) && !evaluates) {
    End(v1::FAILED,
        absl::StrCat("training loss is ", message.loss_sum(), " at step ",
                     StepOf(work.ticket.number), ", want a finite number; worker ", name, ": ",
                     message.anomaly(), " (a smaller learning rate may help)"),
        /*with_checkpoint=*/false);
    return absl::OkStatus();
  }
  work.loss_sum = message.loss_sum();
  if (!evaluates) {
    Arrived(std::move(work));
  } else {
    losses_->Add(shard, message.loss_sum());
    correct_ += message.correct();
    predictions_ += message.predictions();
    if (losses_->complete()) {
      const double sum = losses_->root();
      losses_.reset();
      EndEpoch(sum);
    }
  }
  Advance();
  return absl::OkStatus();
}

void AsyncRunner::Arrived(Work work) {
  if (!order_->replays()) {
    Apply(work);
  } else {
    const uint64_t update = *work.ticket.update;
    early_[update] = std::move(work);
    while (!early_.empty() && early_.begin()->first == order_->updates()) {
      const Work next = std::move(early_.begin()->second);
      early_.erase(early_.begin());
      Apply(next);
    }
  }
  if (order_->IsDone(NextStop() * static_cast<uint64_t>(plan_.shards))) ReachStop();
}

void AsyncRunner::Apply(const Work& work) {
  const uint64_t examples = ExamplesOf(work.ticket.number);
  if (order_->replays()) {
    std::vector<Tensor>& kept = versions_[order_->updates()];
    for (int chunk = 0; chunk < store_->chunk_count(); ++chunk) {
      kept.push_back(store_->CurrentChunk(chunk));
    }
  }
  optim::UpdateStep update;
  update.step = earlier_updates_ + order_->updates();
  update.batch_size = static_cast<double>(examples);
  update.learning_rate_factor = schedule_.Factor(StepOf(work.ticket.number), plan_.total_steps,
                                                 plan_.steps_per_epoch, plateau_.factor());
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
  arrivals_.add_tickets(work.ticket.number);
  arrivals_.add_bases(work.ticket.base);
  order_->Apply(work.ticket);
  versions_.erase(versions_.begin(), versions_.lower_bound(order_->oldest_base()));

  training_loss_ = work.loss_sum / static_cast<double>(examples);
  epoch_loss_sum_ += work.loss_sum;
  epoch_examples_ += examples;
  const absl::Time now = now_();
  throughput_.Add(now, now - last_update_, examples);
  last_update_ = now;
}

// ---- where all has arrived

void AsyncRunner::ReachStop() {
  step_ = NextStop();
  const double seconds = absl::ToDoubleSeconds(now_() - stretch_began_);
  epoch_seconds_ += seconds;
  training_seconds_ += seconds;
  stretch_began_ = absl::Time();
  if (!store_->IsFinite()) {
    return End(v1::FAILED,
               absl::StrCat("parameters after step ", step_,
                            ": got infinity or NaN, want finite numbers (a smaller learning rate "
                            "may help)"),
               /*with_checkpoint=*/false);
  }
  if (!plan_.EndsEpoch(step_)) return GoOn();
  if (plan_.validation_examples > 0) return BeginEvaluation();
  EndEpoch(std::nullopt);
}

void AsyncRunner::BeginEvaluation() {
  losses_ = std::make_unique<LossTree>(plan_.shards);
  correct_ = predictions_ = 0;
  for (int shard = plan_.shards - 1; shard >= 0; --shard) shards_to_evaluate_.push_back(shard);
}

void AsyncRunner::EndEpoch(std::optional<double> validation_loss_sum) {
  v1::EpochMetrics metrics;
  metrics.set_step(step_);
  metrics.set_epoch((step_ + plan_.steps_per_epoch - 1) / plan_.steps_per_epoch);
  const double examples = static_cast<double>(std::max<uint64_t>(epoch_examples_, 1));
  metrics.set_training_loss(epoch_loss_sum_ / examples);
  metrics.set_examples_per_second(epoch_seconds_ > 0 ? examples / epoch_seconds_ : 0);
  if (validation_loss_sum.has_value()) {
    metrics.set_validation_loss(*validation_loss_sum /
                                static_cast<double>(plan_.validation_examples));
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
  GoOn();
}

void AsyncRunner::GoOn() {
  // At the end, and where the job stops, End keeps the state itself.
  const bool ends = step_ >= last_step_ || (stop_.has_value() && stop_step_ == step_);
  if (!ends) host_->OnCheckpoint(job_id_, Snapshot());
}

void AsyncRunner::Stop(v1::JobState state, const std::string& reason) {
  absl::MutexLock lock(&mutex_);
  if (ended_) return;
  stop_ = {state, reason};
  if (!stop_step_.has_value()) {
    // After the steps that have been begun; here, where none has.
    stop_step_ = step_;
    const uint64_t begun = order_->end_of_begun();
    if (losses_ == nullptr && !order_->replays()) stop_step_ = std::max(step_, begun);
    if (order_->replays()) stop_step_ = NextStop();
  }
  if (losses_ == nullptr && stop_step_ > step_ &&
      order_->IsDone(*stop_step_ * static_cast<uint64_t>(plan_.shards))) {
    ReachStop();
  }
  Advance();
}

void AsyncRunner::Fail(const std::string& reason) {
  absl::MutexLock lock(&mutex_);
  if (!ended_) End(v1::FAILED, reason, /*with_checkpoint=*/false);
}

void AsyncRunner::End(v1::JobState state, const std::string& reason, bool with_checkpoint) {
  ended_ = true;
  std::optional<Checkpoint> checkpoint;
  if (with_checkpoint) checkpoint = Snapshot();
  host_->OnEnded(job_id_, state, reason, std::move(checkpoint));
}

Checkpoint AsyncRunner::Snapshot() {
  v1::StepDigest digest;
  digest.set_step(step_);
  Checkpoint checkpoint;
  checkpoint.step = step_;
  checkpoint.parameters = store_->NamedParameters();
  for (const data::NamedTensor& parameter : checkpoint.parameters) {
    digest.add_tensors(DigestOf(std::as_const(parameter.tensor).span<float>()));
  }
  if (step_ > 0) host_->OnDigest(job_id_, digest);
  if (!arrivals_.tickets().empty()) {
    arrivals_.set_step(step_);
    host_->OnArrivals(job_id_, arrivals_);
    arrivals_.Clear();
  }
  checkpoint.optimizer_state = store_->CopyOptimizerState();
  checkpoint.metadata = {{kUpdates, absl::StrCat(order_->updates())},
                         {kEarlierUpdates, absl::StrCat(earlier_updates_)},
                         {kTrainingSeconds, ExactText(training_seconds_)},
                         {kEpochLossSum, ExactText(epoch_loss_sum_)},
                         {kEpochExamples, absl::StrCat(epoch_examples_)},
                         {kEpochSeconds, ExactText(epoch_seconds_)},
                         {"optimizer", store_->DescribeOptimizer()}};
  if (measured_step_.has_value()) {
    checkpoint.metadata[kMeasuredStep] = absl::StrCat(*measured_step_);
  }
  plateau_.Save(&checkpoint.metadata);
  return checkpoint;
}

// ---- what people see

std::vector<std::string> AsyncRunner::ParameterNames() const {
  std::vector<std::string> names;
  for (const nn::ParameterSlot& slot : store_->layout().slots()) names.push_back(slot.name);
  return names;
}

std::string AsyncRunner::WaitingReason() const {
  std::string reason = absl::StrCat(
      "waiting for workers: has ", CountReady(), ", needs ", spec_.workers().min(), ", since ",
      absl::FormatTime("%H:%M:%S UTC", waiting_since_, absl::UTCTimeZone()));
  for (const auto& entry : refusals_) {
    absl::StrAppend(&reason, "; ", entry.first, " cannot take part: ", entry.second);
  }
  return reason;
}

void AsyncRunner::FillProgress(v1::Job* job) const {
  absl::MutexLock lock(&mutex_);
  v1::Progress& progress = *job->mutable_progress();
  const uint64_t step = losses_ == nullptr ? std::max(step_, StepOf(order_->oldest())) : step_;
  progress.set_step(step);
  progress.set_total_steps(plan_.total_steps);
  progress.set_epoch(step == plan_.total_steps ? plan_.total_epochs : step / plan_.steps_per_epoch);
  progress.set_total_epochs(plan_.total_epochs);
  progress.set_training_examples(plan_.training_examples);
  progress.set_validation_examples(plan_.validation_examples);
  if (training_loss_.has_value()) progress.set_training_loss(*training_loss_);
  progress.clear_epochs();
  for (const v1::EpochMetrics& epoch : epochs_) *progress.add_epochs() = epoch;
  if (!epochs_.empty() && epochs_.back().has_validation_loss()) {
    progress.set_validation_loss(epochs_.back().validation_loss());
  }
  if (!epochs_.empty() && epochs_.back().has_validation_accuracy()) {
    progress.set_validation_accuracy(epochs_.back().validation_accuracy());
  }
  const double pace = throughput_.ExamplesPerSecond();
  progress.set_examples_per_second(pace);
  progress.set_training_seconds(training_seconds_);
  if (pace > 0) {
    progress.set_eta_seconds(static_cast<double>(plan_.total_steps - step) *
                             static_cast<double>(plan_.batch_size) / pace);
  }
  job->clear_workers();
  for (const auto& entry : participants_) {
    v1::JobWorker& worker = *job->add_workers();
    worker.set_name(entry.first);
    if (!entry.second.work.has_value()) continue;
    worker.set_first_shard(entry.second.work->shard.first);
    worker.set_end_shard(entry.second.work->shard.end);
  }
  if (!ended_ && waiting_) job->set_state_reason(WaitingReason());
}

}  // namespace lockstep::server
