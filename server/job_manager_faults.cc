// JobManager's side towards what goes wrong: silent workers, wrong answers, a
// job that must go back, a full disk.
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/job_manager.h"
#include "server/storage/checkpoint_history.h"
#include "server/storage/quarantine_list.h"

namespace lockstep::server {

void JobManager::Tick() {
  std::vector<std::shared_ptr<JobExecution>> runners;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& entry : active_) {
      if (entry.second.runner != nullptr) runners.push_back(entry.second.runner);
    }
  }
  for (const auto& runner : runners) runner->Tick();
  CheckLeases();
  HoldForBacklog();
  WriteAgain();
  absl::MutexLock lock(&mutex_);
  bool due = false;
  for (auto& entry : active_) {
    absl::Time& retry_at = entry.second.retry_at;
    if (retry_at == absl::InfinitePast() || options_.now() < retry_at) continue;
    retry_at = absl::InfinitePast();
    due = true;
  }
  if (due) Reschedule();
}

void JobManager::CheckLeases() {
  std::map<std::string, std::shared_ptr<JobExecution>> runners;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [number, job] : active_) {
      if (job.runner != nullptr) runners[absl::StrCat("job-", number)] = job.runner;
    }
  }
  std::map<std::string, absl::Duration> leases;
  for (const auto& [job_id, runner] : runners) leases[job_id] = runner->Lease(options_.lease);
  const auto lease_of = [&](const RegisteredWorker& worker) {
    const auto found = leases.find(worker.job_id);
    return found == leases.end() ? options_.lease : found->second;
  };
  std::vector<std::pair<std::string, std::shared_ptr<WorkerLink>>> lapsed;
  {
    absl::MutexLock lock(&mutex_);
    for (const std::string& name : registry_.Lapsed(options_.now(), lease_of)) {
      lapsed.emplace_back(name, registry_.Find(name)->link);
    }
  }
  for (const auto& [name, link] : lapsed) {
    std::fprintf(stderr, "worker %s: not heard from for a lease (%s or more), given up\n",
                 name.c_str(), absl::FormatDuration(options_.lease).c_str());
    GiveUp(name);
    link->Close(absl::UnavailableError("lease lapsed: nothing heard in time"));
  }
}

void JobManager::OnEvent(const std::string& job_id, const std::string& kind,
                         const std::string& message) {
  background_.Post([this, job_id, kind, message] {
    std::fprintf(stderr, "%s: %s: %s\n", job_id.c_str(), kind.c_str(), message.c_str());
    Report(job_id, store_->AddEvent(job_id, kind, message, options_.now()));
  });
}

void JobManager::OnQuarantine(const std::string& job_id, const std::string& worker,
                              const std::string& reason) {
  OnEvent(job_id, "worker_quarantined", absl::StrCat(worker, ": ", reason));
  background_.Post([this, job_id, worker, reason] {
    std::shared_ptr<JobExecution> runner;
    {
      absl::MutexLock lock(&mutex_);
      RegisteredWorker* const found = registry_.Find(worker);
      // Gone meanwhile; its name may be another one's.
      if (found == nullptr || found->job_id != job_id) return;
      registry_.Quarantine(worker, reason);
      found->job_id.clear();
      v1::ServerMessage message;
      message.mutable_quarantine()->set_reason(reason);
      found->link->Send(message);
      const auto job = active_.find(*ParseJobId(job_id));
      if (job != active_.end()) runner = job->second.runner;
      ++changes_;
    }
    if (runner != nullptr) runner->RemoveWorker(worker);
    Report(job_id, KeepQuarantines());
    absl::MutexLock lock(&mutex_);
    Reschedule();
  });
}

absl::Status JobManager::KeepQuarantines() {
  QuarantineList quarantines;
  {
    absl::MutexLock lock(&mutex_);
    quarantines = registry_.quarantines();
  }
  return WriteQuarantines(store_->state_dir(), quarantines);
}

absl::StatusOr<v1::LiftQuarantineResponse> JobManager::LiftQuarantine(const std::string& name) {
  v1::LiftQuarantineResponse response;
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_) return absl::UnavailableError("the server is stopping");
    const auto lifted = registry_.LiftQuarantine(name, options_.now());
    if (!lifted.ok()) return lifted.status();
    AnnounceLifted(*lifted);
    for (const v1::Worker& worker : *lifted) *response.add_lifted() = worker;
  }
  // On the thread that writes all quarantines, so that the newest list stays.
  absl::Status kept;
  background_.Post([this, &kept] { kept = KeepQuarantines(); });
  background_.Drain();
  if (!kept.ok()) return kept;
  return response;
}

void JobManager::AnnounceLifted(const std::vector<v1::Worker>& lifted) {
  for (const v1::Worker& worker : lifted) {
    const std::string text =
        absl::StrCat(worker.name(), ": trusted again by a client; was: ", worker.quarantine());
    std::fprintf(stderr, "worker %s\n", text.c_str());
    if (RegisteredWorker* const connected = registry_.Find(worker.name())) {
      v1::ServerMessage message;
      message.mutable_quarantine_lifted();
      connected->link->Send(message);
    }
    for (const auto& [number, job] : active_) {
      if (job.runner != nullptr) {
        OnEvent(absl::StrCat("job-", number), "quarantine_lifted", text);
      }
    }
  }
  ++changes_;
  Reschedule();
}

void JobManager::OnRewind(const std::string& job_id, Rewind rewind) {
  {
    absl::MutexLock lock(&pending_mutex_);
    const auto found = pending_.find(job_id);
    if (found != pending_.end()) pending_.erase(found);
  }
  background_.Post([this, job_id, shared = std::make_shared<Rewind>(std::move(rewind))] {
    const int64_t number = *ParseJobId(job_id);
    const absl::Status dropped =
        DropCheckpointsAfter(*store_, job_id, shared->step, options_.now());
    if (!dropped.ok()) {
      return FinishJob(job_id, v1::FAILED, std::string(dropped.message()), std::nullopt);
    }
    {
      absl::MutexLock lock(&mutex_);
      const auto found = active_.find(number);
      if (found == active_.end()) return;
      // The old one goes, and its memory with it, before there is a new one.
      found->second.runner = nullptr;
      found->second.activating = true;
      found->second.rewind = shared;
    }
    Activate(job_id);
  });
}

// ---- a full disk

void JobManager::HoldForDisk(const std::string& job_id, const absl::Status& status) {
  std::string reason =
      absl::IsResourceExhausted(status)
          ? absl::StrCat("paused until the server's disk has room: ", status.message())
          : "";
  std::shared_ptr<JobExecution> runner;
  {
    absl::MutexLock lock(&mutex_);
    const auto job = active_.find(*ParseJobId(job_id));
    if (job == active_.end()) return;
    if (job->second.disk_hold.empty() == reason.empty()) return;
    job->second.disk_hold = reason;
    reason = reason.empty() ? job->second.backlog_hold : reason;
    runner = job->second.runner;
    ++changes_;
  }
  if (runner != nullptr) runner->Hold(reason);
}

namespace {

size_t BytesOf(const Checkpoint& checkpoint) {
  int64_t elements = 0;
  for (const auto* tensors : {&checkpoint.parameters, &checkpoint.optimizer_state}) {
    for (const data::NamedTensor& tensor : *tensors) elements += tensor.tensor.element_count();
  }
  return static_cast<size_t>(elements) * sizeof(float);
}

}  // namespace

void JobManager::HoldForBacklog() {
  // One more than is being written may wait, of whatever size; of small ones, many.
  constexpr size_t kMostBytes = size_t{256} << 20;
  std::map<std::string, bool> too_much;
  {
    absl::MutexLock lock(&pending_mutex_);
    for (const auto& [job_id, pending] : pending_) {
      size_t bytes = 0;
      for (const PendingCheckpoint& waiting : pending.checkpoints) {
        bytes += BytesOf(waiting.checkpoint);
      }
      too_much[job_id] = pending.checkpoints.size() > 1 && bytes > kMostBytes;
    }
  }
  std::vector<std::pair<std::shared_ptr<JobExecution>, std::string>> holds;
  {
    absl::MutexLock lock(&mutex_);
    for (auto& [number, job] : active_) {
      const bool held = too_much[absl::StrCat("job-", number)];
      if (job.runner == nullptr || job.backlog_hold.empty() != held) continue;
      job.backlog_hold = held ? "paused until the checkpoints that wait have their receipts" : "";
      holds.emplace_back(job.runner, job.disk_hold.empty() ? job.backlog_hold : job.disk_hold);
      ++changes_;
    }
  }
  for (const auto& [runner, reason] : holds) runner->Hold(reason);
}

void JobManager::WriteAgain() {
  const absl::Time now = options_.now();
  absl::MutexLock lock(&mutex_);
  if (now < write_again_at_) return;
  write_again_at_ = now + absl::Seconds(1);
  for (const auto& [number, job] : active_) {
    const std::string job_id = absl::StrCat("job-", number);
    if (!job.disk_hold.empty()) background_.Post([this, job_id] { WritePending(job_id); });
  }
  for (auto& [job_id, end] : unsaved_ends_) {
    background_.Post([this, job_id = job_id, end = std::move(end)] {
      FinishJob(job_id, end.state, end.reason, *end.checkpoint);
    });
  }
  unsaved_ends_.clear();
  if (!unrecorded_ends_.empty() && !recording_again_) {
    background_.Post([this] { RecordEndsAgain(); });
  }
}

}  // namespace lockstep::server
