// JobManager's background thread: runners are made from what is on record, and
// what they report is put there.
#include <cstdio>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/model/job_plan.h"
#include "server/async_runner.h"
#include "server/job_manager.h"
#include "server/job_runner.h"
#include "server/shard_ledger.h"
#include "server/staleness_record.h"
#include "server/storage/checkpoint_history.h"
#include "server/storage/initial_parameters.h"
#include "server/storage/receipt_chain.h"
#include "server/storage/state_files.h"
#include "server/work_counts.h"

namespace lockstep::server {

void JobManager::Activate(const std::string& job_id) {
  v1::JobSpec spec;
  std::shared_ptr<Rewind> rewind;
  const int64_t number = *ParseJobId(job_id);
  {
    absl::MutexLock lock(&mutex_);
    const auto found = active_.find(number);
    if (found == active_.end()) return;
    spec = found->second.spec;
    rewind = std::move(found->second.rewind);
  }
  auto runner = MakeRunner(job_id, spec, rewind);
  if (!runner.ok()) {
    FinishJob(job_id, v1::FAILED, std::string(runner.status().message()), std::nullopt);
    return;
  }
  std::optional<v1::JobState> wanted_end;
  {
    absl::MutexLock lock(&mutex_);
    ActiveJob& job = active_.at(number);
    job.activating = false;
    job.runner = *runner;
    job.tensors = job.runner->ParameterNames();
    wanted_end = job.wanted_end;
    for (const std::string& name : registry_.WorkersOf(job_id)) {
      const RegisteredWorker& worker = *registry_.Find(name);
      if (!worker.leaving) job.runner->AddWorker(name, worker.link);
    }
    if (stopping_) job.runner->Stop(v1::QUEUED, "the server stops");
  }
  if (!wanted_end.has_value()) return;
  (*runner)->Stop(*wanted_end,
                  *wanted_end == v1::PAUSED ? "paused by a client" : "cancelled by a client");
}

absl::StatusOr<std::shared_ptr<JobExecution>> JobManager::MakeRunner(
    const std::string& job_id, const v1::JobSpec& spec, const std::shared_ptr<Rewind>& rewind) {
  JobOptions options;
  options.job_id = job_id;
  options.spec = spec;
  options.layers = options_.layers;
  options.now = options_.now;
  options.host = this;
  if (MakeFolder(store_->checkpoints_dir()).ok()) {
    options.scratch_folder = store_->checkpoints_dir();
  }
  auto loaded = LoadNewestGoodCheckpoint(*store_, job_id, options_.now());
  if (!loaded.ok() && !absl::IsNotFound(loaded.status())) return loaded.status();
  uint64_t step = 0;
  if (loaded.ok()) {
    for (const std::string& message : loaded->messages) {
      std::fprintf(stderr, "%s: %s\n", job_id.c_str(), message.c_str());
    }
    step = loaded->checkpoint.step;
    options.checkpoint = std::move(loaded->checkpoint);
  } else if (spec.has_forked_from()) {
    auto fork = LoadFork(*store_, job_id);
    if (!fork.ok()) return fork.status();
    step = fork->step;
    options.checkpoint = *std::move(fork);
    options.checkpoint_is_forked = true;
  } else if (!spec.init_from().empty()) {
    auto initial = LoadInitialParameters(*store_, job_id);
    if (!initial.ok()) return initial.status();
    options.initial_parameters = *std::move(initial);
  }
  if (auto status = store_->DropEpochsAfter(job_id, step); !status.ok()) return status;
  if (auto status = store_->DropProofAfter(job_id, step); !status.ok()) return status;
  const auto record = store_->GetJob(job_id);
  if (!record.ok()) return record.status();
  options.epochs.assign(record->progress().epochs().begin(), record->progress().epochs().end());
  if (JobPlan::For(spec).order_matters) return MakeAsyncRunner(std::move(options));
  JobRunner::Options sync{std::move(options), std::nullopt};
  if (rewind != nullptr) sync.rewind = *rewind;
  return JobRunner::Create(std::move(sync));
}

absl::StatusOr<std::shared_ptr<JobExecution>> JobManager::MakeAsyncRunner(JobOptions options) {
  {
    // It would belong to an order that is not gone on with.
    absl::MutexLock lock(&pending_mutex_);
    pending_.erase(options.job_id);
  }
  auto replay = store_->Replay(options.job_id);
  if (!replay.ok()) return replay.status();
  return AsyncRunner::Create({std::move(options), *std::move(replay)});
}

// ---- what runners report

void JobManager::OnRunning(const std::string& job_id, const std::string& reason) {
  background_.Post([this, job_id, reason] {
    {
      absl::MutexLock lock(&mutex_);
      const auto found = active_.find(*ParseJobId(job_id));
      if (found == active_.end()) return;
      found->second.state = v1::RUNNING;
      found->second.reason = reason;
      ++changes_;
    }
    Report(job_id, store_->UpdateState(job_id, v1::RUNNING, reason, options_.now()));
  });
}

void JobManager::OnEpoch(const std::string& job_id, const v1::EpochMetrics& metrics) {
  {
    absl::MutexLock lock(&pending_mutex_);
    pending_[job_id].epochs.push_back(metrics);
  }
  background_.Post([this, job_id] { WritePending(job_id); });
}

void JobManager::OnWorkerReleased(const std::string& job_id, const std::string& worker) {
  background_.Post([this, job_id, worker] {
    absl::MutexLock lock(&mutex_);
    RegisteredWorker* const found = registry_.Find(worker);
    if (found == nullptr || found->job_id != job_id || !found->leaving) return;
    MakeIdle(*found);
    ++changes_;
    Reschedule();
  });
}

void JobManager::OnDigest(const std::string& job_id, const v1::StepDigest& digest) {
  // It waits for the next checkpoint: what comes after the last one is computed
  // again where the server dies, and digested again.
  absl::MutexLock lock(&pending_mutex_);
  *pending_[job_id].digests.add_steps() = digest;
}

void JobManager::OnArrivals(const std::string& job_id, const v1::Arrivals& arrivals) {
  absl::MutexLock lock(&pending_mutex_);
  pending_[job_id].arrivals.push_back(arrivals);
}

absl::Status JobManager::WriteProof(const std::string& job_id) {
  v1::JobDigests digests;
  std::vector<v1::Arrivals> arrivals;
  {
    absl::MutexLock lock(&pending_mutex_);
    const auto found = pending_.find(job_id);
    if (found == pending_.end()) return absl::OkStatus();
    digests.Swap(&found->second.digests);
    arrivals.swap(found->second.arrivals);
  }
  {
    absl::MutexLock lock(&mutex_);
    const auto job = active_.find(*ParseJobId(job_id));
    if (job == active_.end()) return absl::OkStatus();
    *digests.mutable_tensors() = {job->second.tensors.begin(), job->second.tensors.end()};
  }
  // One transaction each; what has been written is written again in the same place.
  absl::Status recorded;
  for (const v1::Arrivals& stretch : arrivals) {
    if (recorded.ok()) recorded = store_->RecordArrivals(job_id, stretch);
  }
  if (recorded.ok() && !digests.steps().empty()) recorded = store_->RecordDigests(job_id, digests);
  if (recorded.ok()) return recorded;
  // Again with the next ones.
  absl::MutexLock lock(&pending_mutex_);
  Pending& waiting = pending_[job_id];
  waiting.arrivals.insert(waiting.arrivals.begin(), arrivals.begin(), arrivals.end());
  digests.mutable_steps()->MergeFrom(waiting.digests.steps());
  waiting.digests.Swap(&digests);
  return recorded;
}

void JobManager::OnCheckpoint(const std::string& job_id, Checkpoint checkpoint) {
  {
    // Of an older one that was not written in time only the receipt is: latest wins.
    absl::MutexLock lock(&pending_mutex_);
    std::vector<PendingCheckpoint>& waiting = pending_[job_id].checkpoints;
    waiting.push_back({std::move(checkpoint)});
    DropFilesOfOlder(&waiting, /*newer_comes=*/false);
  }
  background_.Post([this, job_id] { WritePending(job_id); });
}

void JobManager::WritePending(const std::string& job_id) {
  Pending pending;
  {
    absl::MutexLock lock(&pending_mutex_);
    const auto found = pending_.find(job_id);
    if (found == pending_.end()) return;
    pending.epochs = std::exchange(found->second.epochs, {});
    pending.checkpoints = std::exchange(found->second.checkpoints, {});
  }
  // At once, so that training needs not do it piece by piece.
  for (const PendingCheckpoint& waiting : pending.checkpoints) FinishCopy(waiting.checkpoint);
  // Measurements first: a job that goes on from a checkpoint does not measure
  // again what came before it.
  v1::JobSpec spec;
  {
    absl::MutexLock lock(&mutex_);
    const auto job = active_.find(*ParseJobId(job_id));
    if (job != active_.end()) spec = job->second.spec;
  }
  absl::Status status;
  for (const v1::EpochMetrics& metrics : pending.epochs) {
    status.Update(store_->RecordEpoch(job_id, metrics));
  }
  if (status.ok() && !pending.checkpoints.empty()) status = WriteProof(job_id);
  if (status.ok()) status = WriteCheckpoints(job_id, spec, &pending.checkpoints);
  Report(job_id, status);
  if (absl::IsResourceExhausted(status)) KeepPending(job_id, std::move(pending));
  HoldForDisk(job_id, status);
  if (status.ok()) BackUp(absl::Seconds(10));
  absl::MutexLock lock(&mutex_);
  const auto job = active_.find(*ParseJobId(job_id));
  if (job != active_.end()) job->second.unsaved = std::string(status.message());
  ++changes_;
}

void JobManager::DropFilesOfOlder(std::vector<PendingCheckpoint>* checkpoints, bool newer_comes) {
  bool has_newest = newer_comes;
  bool has_best = false;
  for (auto it = checkpoints->rbegin(); it != checkpoints->rend(); ++it) {
    const bool is_best = it->checkpoint.is_best && !has_best;
    if (has_newest && !is_best) it->wants_file = false;
    has_newest = true;
    has_best |= it->checkpoint.is_best;
  }
}

absl::Status JobManager::WriteCheckpoints(const std::string& job_id, const v1::JobSpec& spec,
                                          std::vector<PendingCheckpoint>* checkpoints) {
  absl::Status status;
  size_t done = 0;
  while (status.ok() && done < checkpoints->size()) {
    std::vector<Checkpoint> receipts_only;
    size_t end = done;
    for (; end < checkpoints->size() && !(*checkpoints)[end].wants_file; ++end) {
      receipts_only.push_back((*checkpoints)[end].checkpoint);  // shares the tensors
    }
    if (end > done) {
      status = RecordReceiptsOnly(*store_, job_id, receipts_only);
    } else {
      status = Save(job_id, spec, (*checkpoints)[end++].checkpoint);
    }
    if (status.ok()) done = end;
  }
  checkpoints->erase(checkpoints->begin(), checkpoints->begin() + static_cast<long>(done));
  return status;
}

void JobManager::BackUp(absl::Duration age) {
  const absl::Time now = options_.now();
  if (now - backed_up_at_ < age) return;
  backed_up_at_ = now;
  const absl::Status copied = store_->BackUp();
  if (!copied.ok()) std::fprintf(stderr, "%s\n", std::string(copied.message()).c_str());
}

void JobManager::KeepPending(const std::string& job_id, Pending pending) {
  absl::MutexLock lock(&pending_mutex_);
  Pending& newer = pending_[job_id];
  newer.epochs.insert(newer.epochs.begin(), pending.epochs.begin(), pending.epochs.end());
  newer.checkpoints.insert(newer.checkpoints.begin(),
                           std::make_move_iterator(pending.checkpoints.begin()),
                           std::make_move_iterator(pending.checkpoints.end()));
  DropFilesOfOlder(&newer.checkpoints, /*newer_comes=*/false);
}

absl::Status JobManager::Save(const std::string& job_id, const v1::JobSpec& spec,
                              const Checkpoint& checkpoint) {
  KeptCheckpoints kept;
  kept.newest = static_cast<int>(spec.checkpoint().keep());
  kept.best = spec.checkpoint().keep_best();
  const absl::Status saved =
      SaveCheckpoint(*store_, job_id, checkpoint, options_.now(), kept).status();
  if (!saved.ok()) return saved;
  ShardLedger ledger(JobPlan::For(spec));
  ledger.Load(checkpoint.metadata, checkpoint.step);
  const absl::Status recorded = store_->RecordLedger(job_id, checkpoint.step, ledger.Describe());
  if (!recorded.ok()) return recorded;
  WorkCounts work;
  work.Load(checkpoint.metadata);
  v1::Progress counts;
  work.Describe(&counts);
  const absl::Status counted = store_->RecordCounts(job_id, checkpoint.step, counts);
  if (!counted.ok() || !JobPlan::For(spec).order_matters) return counted;
  StalenessRecord staleness;
  staleness.Load(checkpoint.metadata);
  return store_->RecordStaleness(job_id, checkpoint.step, staleness.Describe());
}

void JobManager::OnEnded(const std::string& job_id, v1::JobState state, const std::string& reason,
                         std::optional<Checkpoint> checkpoint) {
  {
    absl::MutexLock lock(&pending_mutex_);
    // Its own is newer than one that waits.
    const auto found = pending_.find(job_id);
    if (checkpoint.has_value() && found != pending_.end()) {
      DropFilesOfOlder(&found->second.checkpoints, /*newer_comes=*/true);
    }
  }
  background_.Post([this, job_id, state, reason, kept = std::move(checkpoint)] {
    FinishJob(job_id, state, reason, kept);
  });
}

void JobManager::FinishJob(const std::string& job_id, v1::JobState state, std::string reason,
                           const std::optional<Checkpoint>& checkpoint) {
  if (checkpoint.has_value()) FinishCopy(*checkpoint);
  v1::JobSpec spec;
  {
    absl::MutexLock lock(&mutex_);
    const auto job = active_.find(*ParseJobId(job_id));
    if (job != active_.end()) spec = job->second.spec;
  }
  // What a full disk did not take before: the receipts of states before this end.
  WritePending(job_id);
  Report(job_id, WriteProof(job_id));
  if (state == v1::FAILED && Retry(job_id, reason)) return;
  if (checkpoint.has_value()) {
    const absl::Status saved = Save(job_id, spec, *checkpoint);
    if (absl::IsResourceExhausted(saved) &&
        WaitForDisk(job_id, state, reason, *checkpoint, saved)) {
      return;
    }
    if (!saved.ok()) {
      Report(job_id, saved);
      if (state == v1::SUCCEEDED) {
        state = v1::FAILED;
        reason = absl::StrCat("the last checkpoint could not be written: ", saved.message(),
                              " (free space, then resume the job)");
      }
    }
  }
  // A job that is to be continued stays as it is on record.
  absl::Status recorded;
  if (state != v1::QUEUED) recorded = store_->UpdateState(job_id, state, reason, options_.now());
  Report(job_id, recorded);
  if (recorded.ok()) BackUp(absl::ZeroDuration());
  {
    absl::MutexLock lock(&pending_mutex_);
    pending_.erase(job_id);
  }
  absl::MutexLock lock(&mutex_);
  if (!recorded.ok()) unrecorded_ends_[*ParseJobId(job_id)] = {state, reason};
  for (const std::string& name : registry_.WorkersOf(job_id)) {
    MakeIdle(*registry_.Find(name));
  }
  active_.erase(*ParseJobId(job_id));
  ++changes_;
  Reschedule();
}

bool JobManager::WaitForDisk(const std::string& job_id, v1::JobState state,
                             const std::string& reason, const Checkpoint& checkpoint,
                             const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  const auto job = active_.find(*ParseJobId(job_id));
  // Only what has cost training is worth waiting for.
  if (stopping_ || job == active_.end() || state != v1::SUCCEEDED) return false;
  job->second.unsaved = absl::StrCat(status.message(), "; tried again every second");
  unsaved_ends_[job_id] = {state, reason,
                           std::make_shared<const std::optional<Checkpoint>>(checkpoint)};
  ++changes_;
  return true;
}

void JobManager::Report(const std::string& job_id, const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s: %s\n", job_id.c_str(), std::string(status.message()).c_str());
}

}  // namespace lockstep::server
