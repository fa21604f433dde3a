#include "server/job_manager.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "engine/model/build_model.h"
#include "engine/model/job_plan.h"
#include "engine/model/job_spec.h"
#include "engine/model/machine_memory.h"
#include "server/scheduler.h"
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

// One line of what a worker wrote, cut at a character's border: the text goes
// into fields that must be UTF-8.
std::string OneLine(const std::string& text) {
  constexpr size_t kLongest = 2000;
  std::string line = text.substr(0, kLongest);
  if (line.size() < text.size()) {
    while (!line.empty() && (line.back() & 0xC0) == 0x80) line.pop_back();
    if (!line.empty()) line.pop_back();
  }
  for (char& c : line) {
    if (absl::ascii_iscntrl(c)) c = ' ';
  }
  return line;
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
absl::StatusOr<ModelPlan> CheckSubmission(v1::JobSpec& spec) {
  FillJobDefaults(&spec);
  if (spec.ByteSizeLong() > kMostSpecBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("spec: got ", spec.ByteSizeLong(), " bytes, want at most ", kMostSpecBytes));
  }
  if (auto status = StatusOfProblems(ValidateSubmittedJobSpec(spec)); !status.ok()) return status;
  const auto& extents = spec.data_summary().example_shape();
  const auto plan = PlanModel(spec, Shape(std::vector<int64_t>(extents.begin(), extents.end())));
  if (!plan.ok()) return plan.status();
  const absl::Status fits = JobRunner::CheckMemory(spec, *plan, ReadMachineMemory().total_bytes);
  if (!fits.ok()) return fits;
  return plan;
}

}  // namespace

absl::StatusOr<size_t> JobManager::MostInitialBytes(v1::JobSpec spec) {
  const auto plan = CheckSubmission(spec);
  if (!plan.ok()) return plan.status();
  if (spec.init_from().empty()) return 0;
  // Tensors and a header.
  constexpr size_t kMostHeaderBytes = size_t{16} << 20;
  return static_cast<size_t>(plan->layout.total_elements()) * sizeof(float) + kMostHeaderBytes;
}

absl::StatusOr<v1::Job> JobManager::Submit(v1::JobSpec spec, const std::string& init_from_data) {
  if (const auto plan = CheckSubmission(spec); !plan.ok()) return plan.status();
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
  if (const absl::Status damaged = CheckRecord(*job); !damaged.ok()) return damaged;
  FillProgressFromRecord(&*job);
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
      GiveUp(name);
      return absl::OkStatus();
    case v1::WorkerMessage::kRegister:
      return absl::InvalidArgumentError("register: got a second one, want it once");
    case v1::WorkerMessage::KIND_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("worker message: got no known kind");
}

void JobManager::OnJobError(const std::string& name, const v1::JobError& error) {
  const std::string line = OneLine(error.message());
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
  GiveUp(name);
  absl::MutexLock lock(&mutex_);
  registry_.Remove(name);
}

void JobManager::GiveUp(const std::string& name) {
  std::vector<std::shared_ptr<JobRunner>> runners;
  {
    absl::MutexLock lock(&mutex_);
    if (registry_.Find(name) == nullptr) return;
    for (auto& entry : active_) {
      // The next worker of this name may have the data that this one lacked.
      entry.second.refusals.erase(name);
      if (entry.second.runner != nullptr) runners.push_back(entry.second.runner);
    }
    registry_.Retire(name);
    ++changes_;
  }
  for (const auto& runner : runners) {
    runner->ForgetRefusal(name);
    runner->RemoveWorker(name);
  }
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
    GiveUp(name);
    link->Close(absl::UnavailableError("lease lapsed: nothing heard in time"));
  }
  absl::MutexLock lock(&mutex_);
  if (!unrecorded_ends_.empty() && !recording_again_) {
    background_.Post([this] { RecordEndsAgain(); });
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
  absl::Status status;
  for (const v1::EpochMetrics& metrics : pending.epochs) {
    status.Update(store_->RecordEpoch(job_id, metrics));
  }
  if (pending.checkpoint.has_value()) {
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
  absl::MutexLock lock(&mutex_);
  if (!recorded.ok()) unrecorded_ends_[*ParseJobId(job_id)] = {state, reason};
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
