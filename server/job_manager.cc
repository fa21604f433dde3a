#include "server/job_manager.h"

#include <algorithm>
#include <cstdio>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/model/build_model.h"
#include "engine/model/job_plan.h"
#include "engine/model/job_spec.h"
#include "engine/model/machine_memory.h"
#include "server/build_parameter_store.h"
#include "server/storage/initial_parameters.h"
#include "server/storage/quarantine_list.h"

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
  auto quarantines = ReadQuarantines(manager->store_->state_dir());
  if (!quarantines.ok()) return quarantines.status();
  absl::MutexLock lock(&manager->mutex_);
  manager->registry_.RestoreQuarantines(*std::move(quarantines));
  for (const v1::Job& job : *unfinished) {
    if (const absl::Status damaged = CheckRecord(job); !damaged.ok()) {
      std::fprintf(stderr, "%s is left out: %s\n", job.job_id().c_str(),
                   std::string(damaged.message()).c_str());
      continue;
    }
    manager->ReadRetries(job.job_id(), &manager->active_[*ParseJobId(job.job_id())]);
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

std::shared_ptr<JobExecution> JobManager::RunnerOf(const std::string& job_id) {
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
  const absl::Status fits = CheckServerMemory(spec, *plan, ReadMachineMemory().total_bytes);
  if (!fits.ok()) return fits;
  return plan;
}

// Whether the updates are such as a job of this kind can have: each of work that
// there is, and taken at parameters that were there.
absl::Status CheckReplay(const v1::JobSpec& spec, const v1::Arrivals& replay) {
  if (replay.tickets().empty()) return absl::OkStatus();
  const JobPlan plan = JobPlan::For(spec);
  const auto shards = static_cast<uint64_t>(plan.shards);
  if (!plan.order_matters) {
    return absl::InvalidArgumentError(
        "replay: got updates, want none: the job's bits do not "
        "depend on their order");
  }
  if (replay.tickets_size() != replay.bases_size() || replay.step() > plan.total_steps) {
    return absl::InvalidArgumentError("replay: got lists that do not fit each other and the job");
  }
  std::set<uint64_t> tickets;
  for (int i = 0; i < replay.tickets_size(); ++i) {
    const uint64_t ticket = replay.tickets(i);
    if (ticket / shards >= replay.step() || replay.bases(i) > static_cast<uint64_t>(i) ||
        !tickets.insert(ticket).second) {
      return absl::InvalidArgumentError(absl::StrCat("replay: update ", i, ": got ticket ", ticket,
                                                     " of base ", replay.bases(i),
                                                     ", which cannot be"));
    }
  }
  return absl::OkStatus();
}

// Whether the job can go on from the checkpoint: the same parameters, and state
// of the same optimizer. InvalidArgument: not so.
absl::Status CheckFork(const v1::JobSpec& spec, const std::string& bytes,
                       const LayerRegistry& layers) {
  const v1::Fork& fork = spec.forked_from();
  const std::string place = absl::StrCat(fork.job_id(), "@", fork.step());
  auto checkpoint = ParseFork(fork, bytes);
  if (!checkpoint.ok()) return checkpoint.status();
  const auto store = BuildParameterStore(spec, layers);
  if (!store.ok()) return store.status();
  const absl::Status made =
      RestoreParameterStore(spec, *checkpoint, /*is_forked=*/true, store->get());
  if (!absl::IsInvalidArgument(made)) return made;
  const bool is_state = absl::StrContains(made.message(), "optimizer state");
  return absl::InvalidArgumentError(
      absl::StrCat("cannot go on from ", place, ": ", made.message(),
                   is_state ? " (with --fresh-optimizer its state begins at zero)" : ""));
}

}  // namespace

absl::StatusOr<size_t> JobManager::MostInitialBytes(v1::JobSpec spec) {
  const auto plan = CheckSubmission(spec, options_.layers);
  if (!plan.ok()) return plan.status();
  if (spec.init_from().empty() && !spec.has_forked_from()) return 0;
  // Tensors and a header. A checkpoint has the optimizer's state too: that of
  // the one with the most, and the average.
  constexpr size_t kMostHeaderBytes = size_t{16} << 20;
  constexpr size_t kMostCopies = 6;
  const size_t copies = spec.has_forked_from() ? kMostCopies : 1;
  return copies * static_cast<size_t>(plan->layout.total_elements()) * sizeof(float) +
         kMostHeaderBytes;
}

absl::StatusOr<v1::Job> JobManager::Submit(v1::JobSpec spec, const std::string& initial_data,
                                           const v1::Arrivals& replay) {
  if (const auto plan = CheckSubmission(spec, options_.layers); !plan.ok()) return plan.status();
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_) return absl::UnavailableError("the server is stopping");
  }
  if (spec.has_forked_from()) {
    const absl::Status fits = CheckFork(spec, initial_data, options_.layers);
    if (!fits.ok()) return fits;
  }
  if (const absl::Status valid = CheckReplay(spec, replay); !valid.ok()) return valid;
  const auto job_id = CreateJobFrom(*store_, spec, initial_data, options_.now());
  if (!job_id.ok()) return job_id.status();
  if (!replay.tickets().empty()) {
    const absl::Status recorded = store_->RecordReplay(*job_id, replay);
    if (!recorded.ok()) return recorded;
  }
  {
    absl::MutexLock lock(&mutex_);
    AddActive(*job_id, spec);
  }
  background_.Post([this] { BackUp(absl::ZeroDuration()); });
  return Get(*job_id);
}

absl::StatusOr<v1::Job> JobManager::SubmitFork(v1::JobSpec spec, const v1::ForkRequest& from) {
  const auto parent = store_->GetJob(from.job_id());
  if (!parent.ok()) return parent.status();
  const std::optional<uint64_t> step =
      from.has_step() ? std::make_optional(from.step()) : std::nullopt;
  const auto file = ReadCheckpointFile(*store_, from.job_id(), step);
  if (!file.ok()) return file.status();
  v1::Fork& fork = *spec.mutable_forked_from();
  fork.Clear();
  fork.set_job_id(from.job_id());
  fork.set_step(file->record.step);
  fork.set_model_sha256(file->record.model_sha256);
  fork.set_checkpoint_sha256(file->record.file_sha256);
  fork.set_fresh_optimizer(from.fresh_optimizer());
  return Submit(std::move(spec), file->bytes);
}

absl::StatusOr<v1::Job> JobManager::Get(const std::string& job_id) {
  auto job = store_->GetJob(job_id);
  if (!job.ok()) return job;
  if (const absl::Status damaged = CheckRecord(*job); !damaged.ok()) return damaged;
  FillProgressFromRecord(&*job);
  if (auto status = AddEvents(&*job); !status.ok()) return status;
  if (job->spec().retries() > 0) {
    ActiveJob recorded;
    ReadRetries(job_id, &recorded);
    job->set_retries_used(recorded.retries_used);
  }
  std::string unsaved;
  std::shared_ptr<JobExecution> runner;
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
    job->set_retries_used(found->second.retries_used);
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
    if (IsFinal(job.state()) || job.state() == v1::PAUSED) {
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
  std::vector<std::shared_ptr<JobExecution>> runners;
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
