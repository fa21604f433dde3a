// JobManager: what clients do with jobs that are there: cancel, pause, resume;
// and what a job that has failed does by itself, trying again.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/job_manager.h"

namespace lockstep::server {
namespace {

// Kinds of events that retries are counted by.
constexpr char kRetried[] = "retried";
constexpr char kResumed[] = "resumed";

bool IsFinal(v1::JobState state) {
  return state == v1::SUCCEEDED || state == v1::FAILED || state == v1::CANCELLED;
}

const char* ReasonFor(v1::JobState wanted) {
  return wanted == v1::PAUSED ? "paused by a client" : "cancelled by a client";
}

// A second, then twice as long each time, up to a minute: what made it fail
// (a full disk, too little memory) may pass.
absl::Duration WaitBeforeRetry(uint32_t retry) {
  return std::min(absl::Minutes(1), absl::Seconds(1) * (1 << std::min(retry, 10u)));
}

}  // namespace

absl::StatusOr<v1::Job> JobManager::Cancel(const std::string& job_id, absl::Time deadline) {
  return StopJob(job_id, v1::CANCELLED, deadline);
}

absl::StatusOr<v1::Job> JobManager::Pause(const std::string& job_id, absl::Time deadline) {
  return StopJob(job_id, v1::PAUSED, deadline);
}

absl::StatusOr<v1::Job> JobManager::StopJob(const std::string& job_id, v1::JobState wanted,
                                            absl::Time deadline) {
  auto job = store_->GetJob(job_id);
  if (!job.ok()) return job;
  const int64_t number = *ParseJobId(job_id);
  std::shared_ptr<JobExecution> runner;
  bool without_runner = false;
  bool active = false;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = active_.find(number);
    active = found != active_.end();
    if (active) {
      runner = found->second.runner;
      without_runner =
          runner == nullptr && !found->second.activating && !found->second.wanted_end.has_value();
      found->second.wanted_end = wanted;
    } else {
      ApplyUnrecordedEnd(&*job);
    }
  }
  if (!active) return ChangeStoppedJob(*std::move(job), wanted);
  if (runner != nullptr) runner->Stop(wanted, ReasonFor(wanted));
  if (without_runner) OnEnded(job_id, wanted, ReasonFor(wanted), std::nullopt);
  {
    absl::MutexLock lock(&mutex_);
    const auto ended = [this, number]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return active_.count(number) == 0;
    };
    if (!mutex_.AwaitWithDeadline(absl::Condition(&ended), deadline)) {
      return absl::DeadlineExceededError(
          absl::StrCat(job_id, ": still in its present step; it will be ",
                       wanted == v1::PAUSED ? "paused" : "cancelled", " after it"));
    }
  }
  job = Get(job_id);
  // Two clients at once: the one that cancels has the last word.
  if (job.ok() && job->state() == v1::PAUSED) return ChangeStoppedJob(*std::move(job), wanted);
  return job;
}

absl::StatusOr<v1::Job> JobManager::ChangeStoppedJob(v1::Job job, v1::JobState wanted) {
  const std::string job_id = job.job_id();
  if (job.state() != wanted) {
    if (job.state() != v1::PAUSED) {
      return absl::FailedPreconditionError(absl::StrCat(
          job_id, ": got state ", v1::JobState_Name(job.state()), ", want QUEUED or RUNNING"));
    }
    const absl::Status updated =
        store_->UpdateState(job_id, wanted, ReasonFor(wanted), options_.now());
    if (!updated.ok()) return updated;
    absl::MutexLock lock(&mutex_);
    ++changes_;
  }
  return Get(job_id);
}

absl::StatusOr<v1::Job> JobManager::Resume(const std::string& job_id) {
  const auto job = Get(job_id);
  if (!job.ok()) return job;
  if (!IsFinal(job->state()) && job->state() != v1::PAUSED) return job;
  if (const absl::Status status = CheckResumable(*job); !status.ok()) return status;
  const int64_t number = *ParseJobId(job_id);
  const auto at_rest = [this, number]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return active_.count(number) == 0 && !recording_again_;
  };
  std::optional<std::pair<v1::JobState, std::string>> unrecorded;
  {
    // What its end still has to write must not come after what is written here.
    absl::MutexLock lock(&mutex_);
    if (!mutex_.AwaitWithTimeout(absl::Condition(&at_rest), absl::Seconds(10))) {
      return absl::UnavailableError(absl::StrCat(job_id, ": is still ending, try again"));
    }
    const auto found = unrecorded_ends_.find(number);
    if (found != unrecorded_ends_.end()) {
      unrecorded = std::move(found->second);
      unrecorded_ends_.erase(found);
    }
  }
  absl::Status status = store_->AddEvent(job_id, kResumed, "by a client", options_.now());
  if (status.ok()) {
    status = store_->UpdateState(job_id, v1::QUEUED, "resumed by a client", options_.now());
  }
  {
    absl::MutexLock lock(&mutex_);
    if (status.ok()) {
      AddActive(job_id, job->spec());
    } else if (unrecorded.has_value()) {
      unrecorded_ends_[number] = *std::move(unrecorded);
    }
  }
  if (!status.ok()) return status;
  return Get(job_id);
}

// ---- retries

void JobManager::ReadRetries(const std::string& job_id, ActiveJob* job) {
  const auto events = store_->Events(job_id);
  if (!events.ok()) return Report(job_id, events.status());
  for (const JobEvent& event : *events) {
    if (event.kind == kResumed) {
      job->retries_used = 0;
      job->last_failure.clear();
    } else if (event.kind == kRetried) {
      ++job->retries_used;
      job->last_failure = event.message;
    }
  }
}

bool JobManager::Retry(const std::string& job_id, const std::string& reason) {
  uint32_t retry = 0;
  uint32_t limit = 0;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = active_.find(*ParseJobId(job_id));
    if (found == active_.end() || stopping_ || found->second.wanted_end.has_value()) return false;
    limit = found->second.spec.retries();
    // The same bits fail in the same way for ever.
    if (found->second.retries_used >= limit || found->second.last_failure == reason) return false;
    retry = found->second.retries_used;
  }
  const absl::Time now = options_.now();
  const absl::Duration wait = WaitBeforeRetry(retry);
  const std::string queued = absl::StrCat(
      "retry ", retry + 1, " of ", limit, " at ",
      absl::FormatTime("%H:%M:%S UTC", now + wait, absl::UTCTimeZone()), ", after: ", reason);
  absl::Status status = store_->AddEvent(job_id, kRetried, reason, now);
  status.Update(store_->UpdateState(job_id, v1::QUEUED, queued, now));
  Report(job_id, status);
  if (!status.ok()) return false;
  absl::MutexLock lock(&mutex_);
  ActiveJob& job = active_.at(*ParseJobId(job_id));
  job.state = v1::QUEUED;
  job.reason = queued;
  job.runner = nullptr;
  job.activating = false;
  job.retries_used = retry + 1;
  job.retry_at = now + wait;
  job.last_failure = reason;
  for (const std::string& name : registry_.WorkersOf(job_id)) MakeIdle(*registry_.Find(name));
  ++changes_;
  Reschedule();
  return true;
}

}  // namespace lockstep::server
