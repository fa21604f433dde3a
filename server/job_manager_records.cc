// JobManager's background thread: runners are made from what is on record, and
// what they report is put there.
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/model/job_plan.h"
#include "server/async_runner.h"
#include "server/job_manager.h"
#include "server/storage/initial_parameters.h"

namespace lockstep::server {

void JobManager::Activate(const std::string& job_id) {
  v1::JobSpec spec;
  const int64_t number = *ParseJobId(job_id);
  {
    absl::MutexLock lock(&mutex_);
    const auto found = active_.find(number);
    if (found == active_.end()) return;
    spec = found->second.spec;
  }
  auto runner = MakeRunner(job_id, spec);
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
      job.runner->AddWorker(name, registry_.Find(name)->link);
    }
    if (stopping_) job.runner->Stop(v1::QUEUED, "the server stops");
  }
  if (!wanted_end.has_value()) return;
  (*runner)->Stop(*wanted_end,
                  *wanted_end == v1::PAUSED ? "paused by a client" : "cancelled by a client");
}

absl::StatusOr<std::shared_ptr<JobExecution>> JobManager::MakeRunner(const std::string& job_id,
                                                                     const v1::JobSpec& spec) {
  JobRunner::Options options;
  options.job_id = job_id;
  options.spec = spec;
  options.layers = options_.layers;
  options.now = options_.now;
  options.host = this;
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
  if (!JobPlan::For(spec).order_matters) return JobRunner::Create(std::move(options));
  AsyncRunner::Options async;
  async.job = std::move(options);
  auto replay = store_->Replay(job_id);
  if (!replay.ok()) return replay.status();
  async.replay = *std::move(replay);
  return AsyncRunner::Create(std::move(async));
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
    arrivals = std::exchange(found->second.arrivals, {});
  }
  for (const v1::Arrivals& stretch : arrivals) {
    if (auto status = store_->RecordArrivals(job_id, stretch); !status.ok()) return status;
  }
  if (digests.steps().empty()) return absl::OkStatus();
  {
    absl::MutexLock lock(&mutex_);
    const auto job = active_.find(*ParseJobId(job_id));
    if (job == active_.end()) return absl::OkStatus();
    *digests.mutable_tensors() = {job->second.tensors.begin(), job->second.tensors.end()};
  }
  return store_->RecordDigests(job_id, digests);
}

void JobManager::OnCheckpoint(const std::string& job_id, Checkpoint checkpoint) {
  {
    // An older one that was not written in time is left out: latest wins.
    absl::MutexLock lock(&pending_mutex_);
    pending_[job_id].checkpoint = std::move(checkpoint);
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
    pending.checkpoint = std::exchange(found->second.checkpoint, std::nullopt);
  }
  // Measurements first: a job that goes on from a checkpoint does not measure
  // again what came before it.
  absl::Status status;
  for (const v1::EpochMetrics& metrics : pending.epochs) {
    status.Update(store_->RecordEpoch(job_id, metrics));
  }
  if (pending.checkpoint.has_value()) {
    status.Update(WriteProof(job_id));
    status.Update(SaveCheckpoint(*store_, job_id, *pending.checkpoint, options_.now()).status());
  }
  Report(job_id, status);
  absl::MutexLock lock(&mutex_);
  const auto job = active_.find(*ParseJobId(job_id));
  if (job != active_.end()) job->second.unsaved = std::string(status.message());
  ++changes_;
}

void JobManager::OnEnded(const std::string& job_id, v1::JobState state, const std::string& reason,
                         std::optional<Checkpoint> checkpoint) {
  {
    absl::MutexLock lock(&pending_mutex_);
    // Its own is newer than one that waits.
    const auto found = pending_.find(job_id);
    if (checkpoint.has_value() && found != pending_.end()) found->second.checkpoint.reset();
  }
  background_.Post([this, job_id, state, reason, kept = std::move(checkpoint)] {
    FinishJob(job_id, state, reason, kept);
  });
}

void JobManager::FinishJob(const std::string& job_id, v1::JobState state, std::string reason,
                           const std::optional<Checkpoint>& checkpoint) {
  Report(job_id, WriteProof(job_id));
  if (state == v1::FAILED && Retry(job_id, reason)) return;
  if (checkpoint.has_value()) {
    const auto saved = SaveCheckpoint(*store_, job_id, *checkpoint, options_.now());
    if (!saved.ok()) {
      Report(job_id, saved.status());
      if (state == v1::SUCCEEDED) {
        state = v1::FAILED;
        reason =
            absl::StrCat("the last checkpoint could not be written: ", saved.status().message(),
                         " (free space, then resume the job)");
      }
    }
  }
  // A job that is to be continued stays as it is on record.
  absl::Status recorded;
  if (state != v1::QUEUED) recorded = store_->UpdateState(job_id, state, reason, options_.now());
  Report(job_id, recorded);
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

void JobManager::Report(const std::string& job_id, const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s: %s\n", job_id.c_str(), std::string(status.message()).c_str());
}

}  // namespace lockstep::server
