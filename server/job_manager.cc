#include "server/job_manager.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/model/build_model.h"
#include "engine/model/job_plan.h"
#include "engine/model/job_spec.h"
#include "engine/model/machine_memory.h"
#include "server/storage/initial_parameters.h"

namespace lockstep::server {
namespace {

// It is sent to every worker in one frame, and kept forever.
constexpr size_t kMostSpecBytes = 1 << 20;

bool IsFinal(v1::JobState state) {
  return state == v1::SUCCEEDED || state == v1::FAILED || state == v1::CANCELLED;
}

// A specification on record was valid once; all that follows relies on it.
absl::Status CheckRecord(const v1::Job& job) {
  const absl::Status valid = StatusOfProblems(ValidateSubmittedJobSpec(job.spec()));
  if (valid.ok()) return valid;
  return absl::DataLossError(absl::StrCat(job.job_id(), ": the job on record is damaged (",
                                          valid.message(), "); submit it again"));
}

// Progress of a job that is not running, from what is on record.
void FillProgressFromRecord(v1::Job* job) {
  const JobPlan plan = JobPlan::For(job->spec());
  v1::Progress& progress = *job->mutable_progress();
  const uint64_t step = job->checkpoint_step();
  progress.set_step(step);
  progress.set_total_steps(plan.total_steps);
  progress.set_epoch(step == plan.total_steps ? plan.total_epochs : step / plan.steps_per_epoch);
  progress.set_total_epochs(plan.total_epochs);
  progress.set_training_examples(plan.training_examples);
  progress.set_validation_examples(plan.validation_examples);
  double seconds = 0;
  uint64_t from = 0;
  for (const v1::EpochMetrics& epoch : progress.epochs()) {
    if (epoch.examples_per_second() <= 0) continue;
    const uint64_t examples =
        std::min((epoch.step() - from) * plan.batch_size, plan.training_examples);
    seconds += static_cast<double>(examples) / epoch.examples_per_second();
    from = epoch.step();
    progress.set_training_loss(epoch.training_loss());
    progress.set_examples_per_second(epoch.examples_per_second());
  }
  progress.set_training_seconds(seconds);
}

}  // namespace

absl::StatusOr<std::unique_ptr<JobManager>> JobManager::Open(Options options) {
  auto store = JobStore::Open(options.state_dir);
  if (!store.ok()) return store.status();
  const auto unfinished = (*store)->UnfinishedJobs();
  if (!unfinished.ok()) return unfinished.status();
  std::unique_ptr<JobManager> manager(new JobManager(std::move(options), *std::move(store)));
  if (const std::string& recovery = manager->store_->recovery(); !recovery.empty()) {
    std::fprintf(stderr, "lockstep-server: %s\n", recovery.c_str());
    for (const v1::Job& job : *unfinished) {
      manager->OnEvent(job.job_id(), "database_restored", recovery);
    }
  }
  absl::MutexLock lock(&manager->mutex_);
  for (const v1::Job& job : *unfinished) {
    if (const absl::Status damaged = CheckRecord(job); !damaged.ok()) {
      std::fprintf(stderr, "%s is left out: %s\n", job.job_id().c_str(),
                   std::string(damaged.message()).c_str());
      continue;
    }
    manager->AddActive(job.job_id(), job.spec());
  }
  return manager;
}

JobManager::JobManager(Options options, std::unique_ptr<JobStore> store)
    : options_(std::move(options)), store_(std::move(store)) {}

JobManager::~JobManager() { background_.Drain(); }

void JobManager::AddActive(const std::string& job_id, const v1::JobSpec& spec) {
  active_[*ParseJobId(job_id)].spec = spec;
  ++changes_;
  Reschedule();
}

std::shared_ptr<JobRunner> JobManager::RunnerOf(const std::string& job_id) {
  const auto number = ParseJobId(job_id);
  if (!number.ok()) return nullptr;
  absl::MutexLock lock(&mutex_);
  const auto found = active_.find(*number);
  return found == active_.end() ? nullptr : found->second.runner;
}

// ---- clients

namespace {

// What Submit asks of a specification; fills in its defaults.
absl::StatusOr<ModelPlan> CheckSubmission(v1::JobSpec& spec, const LayerRegistry& layers) {
  FillJobDefaults(&spec);
  if (spec.ByteSizeLong() > kMostSpecBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("spec: got ", spec.ByteSizeLong(), " bytes, want at most ", kMostSpecBytes));
  }
  if (auto status = StatusOfProblems(ValidateSubmittedJobSpec(spec)); !status.ok()) return status;
  const auto& extents = spec.data_summary().example_shape();
  const auto plan =
      PlanModel(spec, Shape(std::vector<int64_t>(extents.begin(), extents.end())), layers);
  if (!plan.ok()) return plan.status();
  const absl::Status fits = JobRunner::CheckMemory(spec, *plan, ReadMachineMemory().total_bytes);
  if (!fits.ok()) return fits;
  return plan;
}

}  // namespace

absl::StatusOr<size_t> JobManager::MostInitialBytes(v1::JobSpec spec) {
  const auto plan = CheckSubmission(spec, options_.layers);
  if (!plan.ok()) return plan.status();
  if (spec.init_from().empty()) return 0;
  // Tensors and a header.
  constexpr size_t kMostHeaderBytes = size_t{16} << 20;
  return static_cast<size_t>(plan->layout.total_elements()) * sizeof(float) + kMostHeaderBytes;
}

absl::StatusOr<v1::Job> JobManager::Submit(v1::JobSpec spec, const std::string& init_from_data) {
  if (const auto plan = CheckSubmission(spec, options_.layers); !plan.ok()) return plan.status();
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_) return absl::UnavailableError("the server is stopping");
  }
  const auto job_id = CreateJobFrom(*store_, spec, init_from_data, options_.now());
  if (!job_id.ok()) return job_id.status();
  {
    absl::MutexLock lock(&mutex_);
    AddActive(*job_id, spec);
  }
  background_.Post([this] { BackUp(absl::ZeroDuration()); });
  return Get(*job_id);
}

absl::StatusOr<v1::Job> JobManager::Get(const std::string& job_id) {
  auto job = store_->GetJob(job_id);
  if (!job.ok()) return job;
  if (const absl::Status damaged = CheckRecord(*job); !damaged.ok()) return damaged;
  FillProgressFromRecord(&*job);
  if (auto status = AddEvents(&*job); !status.ok()) return status;
  std::string unsaved;
  std::shared_ptr<JobRunner> runner;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = active_.find(*ParseJobId(job_id));
    if (found == active_.end()) {
      ApplyUnrecordedEnd(&*job);
      return job;
    }
    unsaved = found->second.unsaved;
    job->set_state(found->second.state);
    job->set_state_reason(found->second.state == v1::QUEUED ? QueueReason(found->second)
                                                            : found->second.reason);
    runner = found->second.runner;
  }
  if (runner != nullptr) runner->FillProgress(&*job);
  if (!unsaved.empty()) {
    const std::string waiting = job->state_reason();
    job->set_state_reason(absl::StrCat(waiting, waiting.empty() ? "" : "; ",
                                       "its newest state is not on the disk: ", unsaved));
  }
  return job;
}

absl::Status JobManager::AddEvents(v1::Job* job) {
  constexpr size_t kMost = 20;
  const auto events = store_->Events(job->job_id());
  if (!events.ok()) return events.status();
  for (size_t i = events->size() - std::min(events->size(), kMost); i < events->size(); ++i) {
    const JobEvent& event = (*events)[i];
    v1::JobEvent& out = *job->add_events();
    const int64_t micros = absl::ToUnixMicros(event.at);
    out.mutable_at()->set_seconds(micros / 1000000);
    out.mutable_at()->set_nanos(static_cast<int32_t>(micros % 1000000) * 1000);
    out.set_kind(event.kind);
    out.set_message(event.message);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::Job>> JobManager::List() {
  auto jobs = store_->ListJobs();
  if (!jobs.ok()) return jobs;
  for (v1::Job& job : *jobs) {
    if (const absl::Status damaged = CheckRecord(job); !damaged.ok()) {
      job.set_state_reason(std::string(damaged.message()));
      continue;
    }
    if (IsFinal(job.state())) {
      FillProgressFromRecord(&job);
      continue;
    }
    auto live = Get(job.job_id());
    if (!live.ok()) return live.status();
    job = *std::move(live);
    job.clear_events();
    job.mutable_progress()->clear_epochs();
  }
  return jobs;
}

absl::StatusOr<v1::Job> JobManager::Cancel(const std::string& job_id, absl::Time deadline) {
  auto job = store_->GetJob(job_id);
  if (!job.ok()) return job;
  const int64_t number = *ParseJobId(job_id);
  const std::string reason = "cancelled by a client";
  std::shared_ptr<JobRunner> runner;
  bool without_runner = false;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = active_.find(number);
    if (found != active_.end()) {
      runner = found->second.runner;
      without_runner =
          runner == nullptr && !found->second.activating && !found->second.cancel_requested;
      found->second.cancel_requested = true;
    } else {
      ApplyUnrecordedEnd(&*job);
    }
    if (found == active_.end() && job->state() != v1::CANCELLED) {
      return absl::FailedPreconditionError(absl::StrCat(
          job_id, ": got state ", v1::JobState_Name(job->state()), ", want QUEUED or RUNNING"));
    }
  }
  if (runner != nullptr) runner->Stop(v1::CANCELLED, reason);
  if (without_runner) OnEnded(job_id, v1::CANCELLED, reason, std::nullopt);
  {
    absl::MutexLock lock(&mutex_);
    const auto ended = [this, number]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return active_.count(number) == 0;
    };
    if (!mutex_.AwaitWithDeadline(absl::Condition(&ended), deadline)) {
      return absl::DeadlineExceededError(
          absl::StrCat(job_id, ": still in its present step; it will be cancelled after it"));
    }
  }
  return Get(job_id);
}

absl::StatusOr<v1::Job> JobManager::Resume(const std::string& job_id) {
  const auto job = Get(job_id);
  if (!job.ok() || !IsFinal(job->state())) return job;
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
  const auto status =
      store_->UpdateState(job_id, v1::QUEUED, "resumed by a client", options_.now());
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

absl::Status JobManager::CheckResumable(const v1::Job& job) {
  if (job.state() != v1::SUCCEEDED) return absl::OkStatus();
  const auto records = store_->Checkpoints(job.job_id());
  if (!records.ok()) return records.status();
  const bool last_step = !records->empty() && records->front().step == job.progress().total_steps();
  if (!last_step) return absl::OkStatus();
  const absl::Status whole =
      ReadCheckpoint(store_->checkpoints_dir(), job.job_id(), records->front()).status();
  if (absl::IsDataLoss(whole) || absl::IsNotFound(whole)) return absl::OkStatus();
  if (!whole.ok()) return whole;
  return absl::FailedPreconditionError(
      absl::StrCat(job.job_id(), ": has succeeded, nothing is left"));
}

void JobManager::ApplyUnrecordedEnd(v1::Job* job) const {
  const auto found = unrecorded_ends_.find(*ParseJobId(job->job_id()));
  if (found == unrecorded_ends_.end()) return;
  job->set_state(found->second.first);
  job->set_state_reason(found->second.second);
}

void JobManager::RecordEndsAgain() {
  std::map<int64_t, std::pair<v1::JobState, std::string>> ends;
  {
    absl::MutexLock lock(&mutex_);
    ends = unrecorded_ends_;
    recording_again_ = true;
  }
  for (auto it = ends.begin(); it != ends.end();) {
    const auto& [state, reason] = it->second;
    const absl::Status status =
        store_->UpdateState(absl::StrCat("job-", it->first), state, reason, options_.now());
    it = status.ok() ? std::next(it) : ends.erase(it);
  }
  absl::MutexLock lock(&mutex_);
  for (const auto& recorded : ends) unrecorded_ends_.erase(recorded.first);
  recording_again_ = false;
}

absl::StatusOr<std::string> JobManager::ModelBytes(const std::string& job_id) {
  const auto job = store_->GetJob(job_id);
  if (!job.ok()) return job.status();
  // A running job may replace the newest checkpoint while it is being read.
  constexpr int kTries = 10;
  absl::Status failure;
  for (int i = 0; i < kTries; ++i) {
    const auto records = store_->Checkpoints(job_id);
    if (!records.ok()) return records.status();
    if (records->empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat(job_id, ": no checkpoint yet; the first is written after the first epoch"));
    }
    const auto checkpoint = ReadCheckpoint(store_->checkpoints_dir(), job_id, records->front());
    if (checkpoint.ok()) return ExportModel(job_id, *checkpoint);
    // The newest or none: an older model under the job's name would be a lie.
    failure = absl::IsNotFound(checkpoint.status())
                  ? absl::DataLossError(std::string(checkpoint.status().message()))
                  : checkpoint.status();
    if (absl::IsDataLoss(failure) && job->state() == v1::SUCCEEDED) {
      failure = absl::DataLossError(
          absl::StrCat(failure.message(), "; resuming the job computes it again"));
    }
    const auto now = store_->Checkpoints(job_id);
    if (!now.ok() || now->empty() || now->front().step == records->front().step) break;
  }
  return failure;
}

std::vector<v1::Worker> JobManager::Workers() {
  absl::MutexLock lock(&mutex_);
  return registry_.Describe(options_.now());
}

void JobManager::SetAddress(const std::string& address) {
  absl::MutexLock lock(&mutex_);
  address_ = address;
}

void JobManager::WaitForChange(absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  const uint64_t before = changes_;
  const auto changed = [this, before]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return changes_ != before || stopping_;
  };
  mutex_.AwaitWithTimeout(absl::Condition(&changed), timeout);
}

void JobManager::Shutdown(absl::Duration timeout) {
  std::vector<std::shared_ptr<JobRunner>> runners;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    for (const auto& entry : active_) {
      if (entry.second.runner != nullptr) runners.push_back(entry.second.runner);
    }
  }
  for (const auto& runner : runners) runner->Stop(v1::QUEUED, "the server stops");
  absl::MutexLock lock(&mutex_);
  const auto all_stopped = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return std::all_of(active_.begin(), active_.end(), [](const auto& entry) {
      return entry.second.runner == nullptr && !entry.second.activating;
    });
  };
  mutex_.AwaitWithTimeout(absl::Condition(&all_stopped), timeout);
}

}  // namespace lockstep::server
