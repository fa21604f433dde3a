// JobManager's side towards workers: who is there, and who works for whom.
#include <cstdio>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/job_manager.h"
#include "server/scheduler.h"

namespace lockstep::server {
namespace {

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

}  // namespace

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
  if (const std::string& reason = registry_.Find(*name)->quarantine; !reason.empty()) {
    message.mutable_quarantine()->set_reason(reason);
    link->Send(message);
  }
  Reschedule();
  return name;
}

absl::Status JobManager::OnWorkerMessage(const std::string& name, const v1::WorkerMessage& message,
                                         Tensor values) {
  std::shared_ptr<JobExecution> runner;
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
    case v1::WorkerMessage::kSharedMemoryAnswer:  // the stream's own
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
  std::shared_ptr<JobExecution> runner = RunnerOf(job_id);
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
    MakeIdle(*worker);
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
  std::vector<std::shared_ptr<JobExecution>> runners;
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
    Reschedule();
  }
  for (const auto& runner : runners) {
    runner->ForgetRefusal(name);
    runner->RemoveWorker(name);
  }
}

// ---- scheduling

std::string JobManager::QueueReason(const ActiveJob& job) const {
  if (job.activating) return "building the model";
  std::string reason;
  if (options_.now() < job.retry_at) return job.reason;
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

void JobManager::MakeIdle(RegisteredWorker& worker) {
  v1::ServerMessage message;
  message.mutable_release_job()->set_job_id(worker.job_id);
  worker.link->Send(message);
  worker.job_id.clear();
  worker.leaving = false;
}

void JobManager::Release(const std::string& name) {
  RegisteredWorker& worker = *registry_.Find(name);
  const auto job = active_.find(*ParseJobId(worker.job_id));
  worker.leaving = true;
  if (job != active_.end() && job->second.runner != nullptr) {
    job->second.runner->ReleaseWorker(name);
  } else {
    OnWorkerReleased(worker.job_id, name);
  }
}

void JobManager::Reschedule() {
  if (stopping_) return;
  std::vector<SchedulableJob> jobs;
  std::vector<std::string> leaving;
  for (const auto& [number, job] : active_) {
    const std::string job_id = absl::StrCat("job-", number);
    std::set<std::string> workers;
    for (const std::string& name : registry_.WorkersOf(job_id)) {
      if (!registry_.Find(name)->quarantine.empty()) continue;
      if (registry_.Find(name)->leaving) {
        leaving.push_back(name);
      } else {
        workers.insert(name);
      }
    }
    // It keeps what it has to the end of its present step.
    if (job.wanted_end.has_value() || options_.now() < job.retry_at) continue;
    SchedulableJob& out = jobs.emplace_back();
    out.job_id = job_id;
    out.minimum_workers = job.spec.workers().min();
    out.maximum_workers = job.spec.workers().max();
    out.priority = job.spec.priority();
    out.workers = std::move(workers);
    for (const auto& refusal : job.refusals) out.refused_by.insert(refusal.first);
  }
  const ScheduleDecision decision = Schedule(jobs, registry_.IdleWorkers(), leaving);
  for (const WorkerAssignment& release : decision.releases) Release(release.worker);
  for (const WorkerAssignment& assignment : decision.assignments) {
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

}  // namespace lockstep::server
