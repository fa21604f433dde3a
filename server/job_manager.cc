#include "server/job_manager.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/model/build_model.h"
#include "engine/model/job_plan.h"
#include "engine/model/job_spec.h"
#include "server/scheduler.h"
#include "server/storage/initial_parameters.h"

namespace lockstep::server {
namespace {

bool IsFinal(v1::JobState state) {
  return state == v1::SUCCEEDED || state == v1::FAILED || state == v1::CANCELLED;
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
  absl::MutexLock lock(&manager->mutex_);
  for (const v1::Job& job : *unfinished) manager->AddActive(job.job_id(), job.spec());
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

absl::StatusOr<v1::Job> JobManager::Submit(v1::JobSpec spec, const std::string& init_from_data) {
  FillJobDefaults(&spec);
  if (auto status = StatusOfProblems(ValidateSubmittedJobSpec(spec)); !status.ok()) return status;
  const auto& extents = spec.data_summary().example_shape();
  const auto plan = PlanModel(spec, Shape(std::vector<int64_t>(extents.begin(), extents.end())));
  if (!plan.ok()) return plan.status();
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
  return Get(*job_id);
}

absl::StatusOr<v1::Job> JobManager::Get(const std::string& job_id) {
  auto job = store_->GetJob(job_id);
  if (!job.ok()) return job;
  FillProgressFromRecord(&*job);
  std::shared_ptr<JobRunner> runner;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = active_.find(*ParseJobId(job_id));
    if (found == active_.end()) return job;
    job->set_state(found->second.state);
    job->set_state_reason(found->second.state == v1::QUEUED ? QueueReason(found->second)
                                                            : found->second.reason);
    runner = found->second.runner;
  }
  if (runner != nullptr) runner->FillProgress(&*job);
  return job;
}

absl::StatusOr<std::vector<v1::Job>> JobManager::List() {
  auto jobs = store_->ListJobs();
  if (!jobs.ok()) return jobs;
  for (v1::Job& job : *jobs) {
    if (IsFinal(job.state())) {
      FillProgressFromRecord(&job);
      continue;
    }
    auto live = Get(job.job_id());
    if (!live.ok()) return live.status();
    job = *std::move(live);
    job.mutable_progress()->clear_epochs();
  }
  return jobs;
}

absl::StatusOr<v1::Job> JobManager::Cancel(const std::string& job_id, absl::Time deadline) {
  const auto job = store_->GetJob(job_id);
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
      without_runner = runner == nullptr && !found->second.activating;
      found->second.cancel_requested = true;
    } else if (job->state() != v1::CANCELLED) {
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
  const auto job = store_->GetJob(job_id);
  if (!job.ok()) return job;
  if (job->state() == v1::SUCCEEDED) {
    return absl::FailedPreconditionError(absl::StrCat(job_id, ": has succeeded, nothing is left"));
  }
  if (IsFinal(job->state())) {
    const auto status =
        store_->UpdateState(job_id, v1::QUEUED, "resumed by a client", options_.now());
    if (!status.ok()) return status;
    absl::MutexLock lock(&mutex_);
    AddActive(job_id, job->spec());
  }
  return Get(job_id);
}

absl::StatusOr<std::string> JobManager::ModelBytes(const std::string& job_id) {
  if (auto job = store_->GetJob(job_id); !job.ok()) return job.status();
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

// ---- workers

absl::StatusOr<std::string> JobManager::ConnectWorker(const v1::Register& self,
                                                      std::shared_ptr<WorkerLink> link) {
  absl::MutexLock lock(&mutex_);
  if (stopping_) return absl::UnavailableError("the server is stopping");
  auto name = registry_.Add(self, link, options_.now());
  if (!name.ok()) return name;
  v1::ServerMessage message;
  message.mutable_welcome()->set_name(*name);
  message.mutable_welcome()->set_lease_ms(
      static_cast<uint32_t>(absl::ToInt64Milliseconds(options_.lease)));
  link->Send(message);
  Reschedule();
  return name;
}

absl::Status JobManager::OnWorkerMessage(const std::string& name, const v1::WorkerMessage& message,
                                         Tensor values) {
  std::shared_ptr<JobRunner> runner;
  std::string job_id;
  {
    absl::MutexLock lock(&mutex_);
    RegisteredWorker* worker = registry_.Find(name);
    if (worker == nullptr) return absl::NotFoundError("the worker's lease has lapsed");
    worker->last_heard = options_.now();
    job_id = worker->job_id;
    if (!job_id.empty()) {
      const auto found = active_.find(*ParseJobId(job_id));
      if (found != active_.end()) runner = found->second.runner;
    }
  }
  // What belongs to a job that the worker no longer has is too late, not wrong.
  const auto is_mine = [&](const std::string& of) { return runner != nullptr && of == job_id; };
  switch (message.kind_case()) {
    case v1::WorkerMessage::kHeartbeat:
      return absl::OkStatus();
    case v1::WorkerMessage::kJobReady:
      if (!is_mine(message.job_ready().job_id())) return absl::OkStatus();
      return runner->OnJobReady(name, message.job_ready());
    case v1::WorkerMessage::kGradientChunk:
      if (!is_mine(message.gradient_chunk().job_id())) return absl::OkStatus();
      return runner->OnGradientChunk(name, message.gradient_chunk(), std::move(values));
    case v1::WorkerMessage::kNodeResult:
      if (!is_mine(message.node_result().job_id())) return absl::OkStatus();
      return runner->OnNodeResult(name, message.node_result());
    case v1::WorkerMessage::kJobError:
      if (is_mine(message.job_error().job_id())) OnJobError(name, message.job_error());
      return absl::OkStatus();
    case v1::WorkerMessage::kGoodbye:
      DisconnectWorker(name);
      return absl::OkStatus();
    case v1::WorkerMessage::kRegister:
      return absl::InvalidArgumentError("register: got a second one, want it once");
    case v1::WorkerMessage::KIND_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("worker message: got no known kind");
}

void JobManager::OnJobError(const std::string& name, const v1::JobError& error) {
  const std::string line = error.message().substr(0, 2000);
  const std::string job_id = error.job_id();
  background_.Post([this, name, line, job_id] {
    Report(job_id, store_->AddEvent(job_id, "worker_refused", absl::StrCat(name, ": ", line),
                                    options_.now()));
  });
  std::shared_ptr<JobRunner> runner = RunnerOf(job_id);
  if (runner == nullptr) return;
  if (error.fatal_to_job()) {
    runner->Fail(absl::StrCat("worker ", name, ": ", line));
    return;
  }
  runner->NoteRefusal(name, line);
  runner->RemoveWorker(name);
  absl::MutexLock lock(&mutex_);
  const auto job = active_.find(*ParseJobId(job_id));
  if (job != active_.end()) job->second.refusals[name] = line;
  if (RegisteredWorker* worker = registry_.Find(name)) {
    worker->job_id.clear();
    v1::ServerMessage message;
    message.mutable_release_job()->set_job_id(job_id);
    worker->link->Send(message);
  }
  ++changes_;
  Reschedule();
}

void JobManager::DisconnectWorker(const std::string& name) {
  std::shared_ptr<JobRunner> runner;
  {
    absl::MutexLock lock(&mutex_);
    const RegisteredWorker* worker = registry_.Find(name);
    if (worker == nullptr) return;
    if (!worker->job_id.empty()) {
      const auto found = active_.find(*ParseJobId(worker->job_id));
      if (found != active_.end()) {
        runner = found->second.runner;
        found->second.refusals.erase(name);
      }
    }
    registry_.Remove(name);
    ++changes_;
  }
  if (runner != nullptr) runner->RemoveWorker(name);
}

void JobManager::CheckLeases() {
  std::vector<std::pair<std::string, std::shared_ptr<WorkerLink>>> lapsed;
  {
    absl::MutexLock lock(&mutex_);
    for (const std::string& name : registry_.Lapsed(options_.now(), options_.lease)) {
      lapsed.emplace_back(name, registry_.Find(name)->link);
    }
  }
  for (const auto& [name, link] : lapsed) {
    std::fprintf(stderr, "worker %s: not heard from for %s, given up\n", name.c_str(),
                 absl::FormatDuration(options_.lease).c_str());
    DisconnectWorker(name);
    link->Close(absl::UnavailableError("lease lapsed: nothing heard in time"));
  }
}

// ---- scheduling

std::string JobManager::QueueReason(const ActiveJob& job) const {
  if (job.activating) return "building the model";
  std::string reason;
  if (active_.size() > 1 && &job != &active_.begin()->second) {
    reason = "waiting for its turn or for more workers";
  } else {
    reason = absl::StrCat("waiting for workers: needs ", job.spec.workers().min());
  }
  absl::StrAppend(&reason, ", idle ", registry_.IdleWorkers().size(),
                  "; start one with: lockstep-worker --server ", address_);
  for (const auto& entry : job.refusals) {
    absl::StrAppend(&reason, "; ", entry.first, " cannot take part: ", entry.second);
  }
  return reason;
}

void JobManager::Reschedule() {
  if (stopping_) return;
  std::vector<SchedulableJob> jobs;
  for (const auto& [number, job] : active_) {
    if (job.cancel_requested) continue;
    SchedulableJob& out = jobs.emplace_back();
    out.job_id = absl::StrCat("job-", number);
    out.minimum_workers = job.spec.workers().min();
    out.maximum_workers = job.spec.workers().max();
    out.present_workers = static_cast<uint32_t>(registry_.WorkersOf(out.job_id).size());
    for (const auto& refusal : job.refusals) out.refused_by.insert(refusal.first);
  }
  for (const WorkerAssignment& assignment : Schedule(jobs, registry_.IdleWorkers())) {
    ActiveJob& job = active_.at(*ParseJobId(assignment.job_id));
    RegisteredWorker& worker = *registry_.Find(assignment.worker);
    worker.job_id = assignment.job_id;
    ++changes_;
    if (job.runner != nullptr) {
      job.runner->AddWorker(assignment.worker, worker.link);
    } else if (!job.activating) {
      job.activating = true;
      background_.Post([this, job_id = assignment.job_id] { Activate(job_id); });
    }
  }
}

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
  bool cancelled = false;
  {
    absl::MutexLock lock(&mutex_);
    ActiveJob& job = active_.at(number);
    job.activating = false;
    job.runner = *runner;
    cancelled = job.cancel_requested;
    for (const std::string& name : registry_.WorkersOf(job_id)) {
      job.runner->AddWorker(name, registry_.Find(name)->link);
    }
    if (stopping_) job.runner->Stop(v1::QUEUED, "the server stops");
  }
  if (cancelled) (*runner)->Stop(v1::CANCELLED, "cancelled by a client");
}

absl::StatusOr<std::shared_ptr<JobRunner>> JobManager::MakeRunner(const std::string& job_id,
                                                                  const v1::JobSpec& spec) {
  JobRunner::Options options;
  options.job_id = job_id;
  options.spec = spec;
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
  } else if (!spec.init_from().empty()) {
    auto initial = LoadInitialParameters(*store_, job_id);
    if (!initial.ok()) return initial.status();
    options.initial_parameters = *std::move(initial);
  }
  if (auto status = store_->DropEpochsAfter(job_id, step); !status.ok()) return status;
  const auto record = store_->GetJob(job_id);
  if (!record.ok()) return record.status();
  options.epochs.assign(record->progress().epochs().begin(), record->progress().epochs().end());
  return JobRunner::Create(std::move(options));
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
    pending = std::move(found->second);
    pending_.erase(found);
  }
  // Measurements first: a job that goes on from a checkpoint does not measure
  // again what came before it.
  for (const v1::EpochMetrics& metrics : pending.epochs) {
    Report(job_id, store_->RecordEpoch(job_id, metrics));
  }
  if (pending.checkpoint.has_value()) {
    Report(job_id, SaveCheckpoint(*store_, job_id, *pending.checkpoint, options_.now()).status());
  }
  absl::MutexLock lock(&mutex_);
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
  if (state != v1::QUEUED) {
    Report(job_id, store_->UpdateState(job_id, state, reason, options_.now()));
  }
  absl::MutexLock lock(&mutex_);
  for (const std::string& name : registry_.WorkersOf(job_id)) {
    RegisteredWorker& worker = *registry_.Find(name);
    worker.job_id.clear();
    v1::ServerMessage message;
    message.mutable_release_job()->set_job_id(job_id);
    worker.link->Send(message);
  }
  active_.erase(*ParseJobId(job_id));
  ++changes_;
  Reschedule();
}

void JobManager::Report(const std::string& job_id, const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s: %s\n", job_id.c_str(), std::string(status.message()).c_str());
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
