// How an AsyncRunner comes to be, has workers, stops, ends, and is described;
// async_runner.cc has the work in between.
#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "engine/model/build_optimizer.h"
#include "engine/tensor_digest.h"
#include "server/async_runner.h"
#include "server/build_parameter_store.h"
#include "server/waiting_for_workers.h"
#include "server/work_counts.h"

namespace lockstep::server {
namespace {

// Metadata of a checkpoint: this job's updates, and those of jobs before it.
constexpr char kUpdates[] = "updates";
constexpr char kEarlierUpdates[] = "earlier_updates";

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
  auto store = BuildParameterStore(options.spec, options.layers);
  if (!store.ok()) return store.status();
  const std::optional<Checkpoint> checkpoint = std::move(options.checkpoint);
  const auto initial = std::move(options.initial_parameters);
  const bool is_forked = options.checkpoint_is_forked;
  const v1::Arrivals replay = std::move(options.replay);
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
    : job_id_(std::move(options.job_id)),
      spec_(std::move(options.spec)),
      plan_(JobPlan::For(spec_)),
      now_(std::move(options.now)),
      host_(options.host),
      scratch_folder_(std::move(options.scratch_folder)),
      schedule_(MakeSchedule(spec_.learning_rate_schedule())),
      store_(std::move(store)),
      order_(std::make_unique<ArrivalOrder>(plan_.shards, StalenessOf(spec_), 0, 0)),
      last_step_(plan_.total_steps),
      waiting_since_(now_()),
      last_checkpoint_(waiting_since_),
      ledger_(plan_),
      measurements_(plan_, MakePlateau(spec_.learning_rate_schedule()), std::move(options.epochs)) {
}

absl::Status AsyncRunner::Restore(const Checkpoint& checkpoint, bool is_forked) {
  const absl::Status loaded = RestoreParameterStore(spec_, checkpoint, is_forked, store_.get());
  if (!loaded.ok()) return loaded;
  step_ = checkpoint.step;
  // A forked job counts its own updates; what the optimizer has seen before
  // them counts for its bias correction.
  uint64_t updates = CountOf(checkpoint.metadata, kUpdates);
  earlier_updates_ = CountOf(checkpoint.metadata, kEarlierUpdates);
  if (is_forked) {
    const bool waited = checkpoint.metadata.count(kUpdates) == 0;
    earlier_updates_ += waited ? checkpoint.step : updates;
    if (spec_.forked_from().fresh_optimizer()) earlier_updates_ = 0;
    updates = 0;
  } else {
    staleness_.Load(checkpoint.metadata);
    WorkCounts counts;
    counts.Load(checkpoint.metadata);
    answers_dropped_ = counts.answers_dropped;
  }
  order_ = std::make_unique<ArrivalOrder>(plan_.shards, StalenessOf(spec_),
                                          step_ * static_cast<uint64_t>(plan_.shards), updates);
  ledger_.Load(checkpoint.metadata, step_);
  measurements_.Load(checkpoint.metadata, is_forked);
  if (plan_.EndsEpoch(step_) && plan_.validation_examples > 0 && !measurements_.IsMeasured(step_)) {
    BeginEvaluation();
  }
  return absl::OkStatus();
}

// ---- workers come and go

void AsyncRunner::AddWorker(const std::string& name, std::shared_ptr<WorkerLink> link) {
  absl::MutexLock lock(&mutex_);
  participants_.Join(name, std::move(link),
                     PrepareJobMessage(job_id_, spec_, store_->chunk_elements()));
}

void AsyncRunner::RemoveWorker(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  Participant* const found = participants_.Find(name);
  if (found == nullptr) return;
  if (!ended_) TakeBack(*found);
  participants_.Erase(name);
  Advance();
}

void AsyncRunner::ReleaseWorker(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  Participant* const found = participants_.Find(name);
  if (found != nullptr) {
    found->leaving = true;
    if (!ended_ && found->work.has_value()) return;
    participants_.Erase(name);
  }
  host_->OnWorkerReleased(job_id_, name);
  Advance();
}

absl::Status AsyncRunner::OnJobReady(const std::string& name, const v1::JobReady& message) {
  absl::MutexLock lock(&mutex_);
  if (ended_ || participants_.Find(name) == nullptr) return absl::OkStatus();
  const absl::Status status = participants_.BecomeReady(name, plan_, message);
  if (status.ok()) Advance();
  return status;
}

void AsyncRunner::NoteRefusal(const std::string& name, const std::string& message) {
  absl::MutexLock lock(&mutex_);
  participants_.NoteRefusal(name, message);
}

void AsyncRunner::ForgetRefusal(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  participants_.ForgetRefusal(name);
}

void AsyncRunner::SetWaiting(bool waiting) {
  if (waiting == waiting_ && (waiting || announced_)) return;
  if (waiting && !waiting_) waiting_since_ = now_();
  waiting_ = waiting;
  // Before its first work the job is still queued: its owner says why.
  if (waiting && !announced_) return;
  announced_ = true;
  host_->OnRunning(job_id_, waiting ? WaitingReason() : "");
}

void AsyncRunner::Hold(const std::string& reason) {
  absl::MutexLock lock(&mutex_);
  hold_ = reason;
  Advance();
}

void AsyncRunner::Tick() {
  absl::MutexLock lock(&mutex_);
  if (ended_) return;
  const absl::Time now = now_();
  const WorkPace& pace = losses_ != nullptr ? validation_pace_ : training_pace_;
  for (auto& entry : participants_) {
    if (!entry.second.work.has_value()) continue;
    const absl::Duration elapsed = now - entry.second.work->asked_at;
    if (elapsed <= pace.HangsAfter(1)) continue;
    entry.second.link->Close(absl::UnavailableError(absl::StrCat(
        "shard ", entry.second.work->shard, ": no answer for ", absl::ToInt64Seconds(elapsed),
        " s, although heartbeats come; connect again")));
  }
}

absl::Duration AsyncRunner::Lease(absl::Duration least) const {
  absl::MutexLock lock(&mutex_);
  return training_pace_.Lease(least);
}

// ---- where all has arrived

void AsyncRunner::ReachStop() {
  const bool is_due = checkpoint_step_ == NextStop();
  step_ = NextStop();
  if (is_due) checkpoint_step_.reset();
  at_work_ = false;
  ledger_.CommitBefore(step_);
  if (!store_->IsFinite()) {
    return End(v1::FAILED,
               absl::StrCat("parameters after step ", step_,
                            ": got infinity or NaN, want finite numbers (a smaller learning rate "
                            "may help)"),
               /*with_checkpoint=*/false);
  }
  if (!plan_.EndsEpoch(step_)) return KeepState(/*is_best=*/false);
  if (plan_.validation_examples > 0) return BeginEvaluation();
  EndEpoch(std::nullopt);
}

void AsyncRunner::BeginEvaluation() {
  losses_ = std::make_unique<LossTree>(plan_.shards);
  shards_to_evaluate_.clear();
  for (int shard = plan_.shards - 1; shard >= 0; --shard) shards_to_evaluate_.push_back(shard);
}

void AsyncRunner::EndEpoch(const std::optional<Losses>& validation) {
  host_->OnEpoch(job_id_, measurements_.EndEpoch(step_, validation));
  KeepState(measurements_.newest_is_best());
}

void AsyncRunner::KeepState(bool is_best) {
  // At the end, and where the job stops, End keeps the state itself.
  if (step_ >= last_step_ || (stop_.has_value() && stop_step_ == step_)) return;
  Checkpoint checkpoint = Snapshot();
  checkpoint.is_best = is_best;
  host_->OnCheckpoint(job_id_, std::move(checkpoint));
}

void AsyncRunner::Stop(v1::JobState state, const std::string& reason) {
  absl::MutexLock lock(&mutex_);
  if (ended_) return;
  stop_ = {state, reason};
  if (!stop_step_.has_value()) {
    if (losses_ != nullptr) {
      stop_step_ = step_;
    } else if (order_->replays()) {
      stop_step_ = NextStop();
    } else {
      stop_step_ = std::max(step_, order_->end_of_begun());
    }
  }
  if (losses_ == nullptr && stop_step_ > step_ && IsAtStop()) ReachStop();
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

void AsyncRunner::RecordDigest() {
  v1::StepDigest digest;
  digest.set_step(step_);
  for (const data::NamedTensor& parameter : store_->NamedParameters()) {
    digest.add_tensors(DigestOf(std::as_const(parameter.tensor).span<float>()));
  }
  host_->OnDigest(job_id_, digest);
}

Checkpoint AsyncRunner::Snapshot() {
  if (!arrivals_.tickets().empty()) {
    arrivals_.set_step(step_);
    host_->OnArrivals(job_id_, arrivals_);
    arrivals_.Clear();
    RecordDigest();
  }
  Checkpoint checkpoint;
  checkpoint.step = step_;
  ParameterStore::Snapshot snapshot = store_->TakeSnapshot(scratch_folder_);
  checkpoint.parameters = std::move(snapshot.parameters);
  checkpoint.optimizer_state = std::move(snapshot.optimizer_state);
  checkpoint.copying = std::move(snapshot.copying);
  checkpoint.metadata = {{kUpdates, absl::StrCat(order_->updates())},
                         {kEarlierUpdates, absl::StrCat(earlier_updates_)},
                         {"optimizer", store_->DescribeOptimizer()}};
  measurements_.Save(&checkpoint.metadata);
  ledger_.Save(&checkpoint.metadata);
  staleness_.Save(&checkpoint.metadata);
  WorkCounts{0, 0, answers_dropped_}.Save(&checkpoint.metadata);
  last_checkpoint_ = now_();
  return checkpoint;
}

// ---- what people see

std::vector<std::string> AsyncRunner::ParameterNames() const {
  std::vector<std::string> names;
  for (const nn::ParameterSlot& slot : store_->layout().slots()) names.push_back(slot.name);
  return names;
}

std::string AsyncRunner::WaitingReason() const {
  if (!hold_.empty()) return absl::StrCat(hold_, ", ", SinceText(waiting_since_));
  WaitingForWorkers waiting = participants_.Describe();
  waiting.needed = spec_.workers().min();
  waiting.since = waiting_since_;
  return waiting.Text();
}

void AsyncRunner::FillProgress(v1::Job* job) const {
  absl::MutexLock lock(&mutex_);
  v1::Progress& progress = *job->mutable_progress();
  measurements_.Describe(std::max(step_, ledger_.next_step()), &progress);
  *progress.mutable_ledger() = ledger_.Describe();
  *progress.mutable_staleness() = staleness_.Describe();
  progress.set_answers_dropped(answers_dropped_);
  progress.set_longest_pause_seconds(absl::ToDoubleSeconds(longest_pause_));
  job->clear_workers();
  for (const auto& entry : participants_) {
    v1::JobWorker& worker = *job->add_workers();
    worker.set_name(entry.first);
    if (!entry.second.work.has_value()) continue;
    worker.set_first_shard(entry.second.work->shard);
    worker.set_end_shard(entry.second.work->shard + 1);
  }
  if (!ended_ && waiting_) job->set_state_reason(WaitingReason());
}

}  // namespace lockstep::server
