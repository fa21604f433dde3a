#include "client/testing/fake_job_service.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engine/check.h"

namespace lockstep::client {
namespace {

constexpr size_t kModelPieceBytes = 3;  // small: every test sees several

bool IsFinal(v1::JobState state) {
  return state == v1::SUCCEEDED || state == v1::FAILED || state == v1::CANCELLED;
}

}  // namespace

void FakeJobService::PutJob(const v1::Job& job) {
  absl::MutexLock lock(&mutex_);
  jobs_[job.job_id()] = job;
  ++versions_[job.job_id()];
}

void FakeJobService::ChangeJob(const std::string& job_id,
                               const std::function<void(v1::Job*)>& change) {
  absl::MutexLock lock(&mutex_);
  const auto found = jobs_.find(job_id);
  if (found == jobs_.end()) return;
  change(&found->second);
  ++versions_[job_id];
}

v1::Job FakeJobService::job(const std::string& job_id) {
  absl::MutexLock lock(&mutex_);
  return jobs_[job_id];
}

void FakeJobService::AddWorker(const v1::Worker& worker) {
  absl::MutexLock lock(&mutex_);
  *workers_.add_workers() = worker;
}

void FakeJobService::SetModel(const std::string& bytes) {
  absl::MutexLock lock(&mutex_);
  model_ = bytes;
}

void FakeJobService::SetModelOfStep(uint64_t step, const std::string& bytes) {
  absl::MutexLock lock(&mutex_);
  models_[step] = bytes;
}

void FakeJobService::SetCheckpoints(const v1::ListCheckpointsResponse& checkpoints) {
  absl::MutexLock lock(&mutex_);
  checkpoints_ = checkpoints;
}

void FakeJobService::SetReceipts(const v1::ListReceiptsResponse& receipts) {
  absl::MutexLock lock(&mutex_);
  receipts_ = receipts;
}

void FakeJobService::FailCalls(const grpc::Status& status) {
  absl::MutexLock lock(&mutex_);
  failure_ = status;
}

void FakeJobService::OnChange(std::function<void(const v1::Job&)> callback) {
  absl::MutexLock lock(&mutex_);
  on_change_ = std::move(callback);
}

void FakeJobService::EndStreams() {
  absl::MutexLock lock(&mutex_);
  ++stream_generation_;
}

std::string FakeJobService::init_from_data() {
  absl::MutexLock lock(&mutex_);
  return init_from_data_;
}

int FakeJobService::init_from_pieces() {
  absl::MutexLock lock(&mutex_);
  return init_from_pieces_;
}

v1::ForkRequest FakeJobService::fork_request() {
  absl::MutexLock lock(&mutex_);
  return fork_request_;
}

int FakeJobService::watch_calls() {
  absl::MutexLock lock(&mutex_);
  return watch_calls_;
}

void FakeJobService::Announce(const v1::Job& job) {
  std::function<void(const v1::Job&)> callback;
  {
    absl::MutexLock lock(&mutex_);
    callback = on_change_;
  }
  if (callback) callback(job);
}

grpc::Status FakeJobService::WithJob(const std::string& job_id,
                                     const std::function<grpc::Status(v1::Job*)>& use) {
  absl::MutexLock lock(&mutex_);
  if (!failure_.ok()) return failure_;
  const auto found = jobs_.find(job_id);
  if (found == jobs_.end()) {
    return grpc::Status(grpc::NOT_FOUND, absl::StrCat("no job '", job_id, "'"));
  }
  return use(&found->second);
}

grpc::Status FakeJobService::SubmitJob(grpc::ServerContext*,
                                       grpc::ServerReader<v1::SubmitJobRequest>* reader,
                                       v1::Job* response) {
  v1::SubmitJobRequest request;
  reader->Read(&request);
  response->mutable_spec()->Swap(request.mutable_spec());
  response->set_state(v1::QUEUED);
  const v1::ForkRequest from = request.from();
  std::string data;
  int pieces = 0;
  while (reader->Read(&request)) {
    LOCKSTEP_CHECK(request.init_from_data().size() <= (1 << 20), "a piece of init_from");
    data += request.init_from_data();
    ++pieces;
  }
  {
    absl::MutexLock lock(&mutex_);
    if (!failure_.ok()) return failure_;
    init_from_data_ = data;
    fork_request_ = from;
    init_from_pieces_ = pieces;
    response->set_job_id(absl::StrCat("job-", jobs_.size() + 1));
    jobs_[response->job_id()] = *response;
  }
  Announce(*response);
  return grpc::Status::OK;
}

grpc::Status FakeJobService::GetJob(grpc::ServerContext*, const v1::GetJobRequest* request,
                                    v1::Job* response) {
  return WithJob(request->job_id(), [&](v1::Job* job) {
    *response = *job;
    return grpc::Status::OK;
  });
}

grpc::Status FakeJobService::ListJobs(grpc::ServerContext*, const v1::ListJobsRequest*,
                                      v1::ListJobsResponse* response) {
  absl::MutexLock lock(&mutex_);
  for (auto job = jobs_.rbegin(); job != jobs_.rend(); ++job) *response->add_jobs() = job->second;
  return failure_;
}

grpc::Status FakeJobService::WatchJob(grpc::ServerContext* context,
                                      const v1::WatchJobRequest* request,
                                      grpc::ServerWriter<v1::Job>* writer) {
  int sent_version = -1;
  int generation;
  {
    absl::MutexLock lock(&mutex_);
    ++watch_calls_;
    generation = stream_generation_;
  }
  while (!context->IsCancelled()) {
    v1::Job job;
    int version = 0;
    bool ended = false;
    const grpc::Status status = WithJob(request->job_id(), [&](v1::Job* stored) {
      mutex_.AssertHeld();
      job = *stored;
      version = versions_[job.job_id()];
      ended = generation != stream_generation_;
      return grpc::Status::OK;
    });
    if (!status.ok() || ended) return status;
    if (version != std::exchange(sent_version, version)) writer->Write(job);
    if (IsFinal(job.state())) return grpc::Status::OK;
    absl::SleepFor(absl::Milliseconds(2));
  }
  return grpc::Status::CANCELLED;
}

grpc::Status FakeJobService::CancelJob(grpc::ServerContext*, const v1::CancelJobRequest* request,
                                       v1::Job* response) {
  const grpc::Status status = WithJob(request->job_id(), [&](v1::Job* job) {
    mutex_.AssertHeld();
    if (IsFinal(job->state()) && job->state() != v1::CANCELLED) {
      return grpc::Status(grpc::FAILED_PRECONDITION, "the job has ended");
    }
    job->set_state(v1::CANCELLED);
    job->set_state_reason("cancelled by a client");
    ++versions_[job->job_id()];
    *response = *job;
    return grpc::Status::OK;
  });
  if (status.ok()) Announce(*response);
  return status;
}

grpc::Status FakeJobService::PauseJob(grpc::ServerContext*, const v1::PauseJobRequest* request,
                                      v1::Job* response) {
  const grpc::Status status = WithJob(request->job_id(), [&](v1::Job* job) {
    mutex_.AssertHeld();
    if (IsFinal(job->state())) return grpc::Status(grpc::FAILED_PRECONDITION, "the job has ended");
    job->set_state(v1::PAUSED);
    job->set_state_reason("paused by a client");
    ++versions_[job->job_id()];
    *response = *job;
    return grpc::Status::OK;
  });
  if (status.ok()) Announce(*response);
  return status;
}

grpc::Status FakeJobService::ResumeJob(grpc::ServerContext*, const v1::ResumeJobRequest* request,
                                       v1::Job* response) {
  const grpc::Status status = WithJob(request->job_id(), [&](v1::Job* job) {
    mutex_.AssertHeld();
    if (job->state() == v1::SUCCEEDED) {
      return grpc::Status(grpc::FAILED_PRECONDITION, "the job has succeeded");
    }
    job->set_state(v1::QUEUED);
    job->clear_state_reason();
    ++versions_[job->job_id()];
    *response = *job;
    return grpc::Status::OK;
  });
  if (status.ok()) Announce(*response);
  return status;
}

grpc::Status FakeJobService::ListWorkers(grpc::ServerContext*, const v1::ListWorkersRequest*,
                                         v1::ListWorkersResponse* response) {
  absl::MutexLock lock(&mutex_);
  *response = workers_;
  return failure_;
}

grpc::Status FakeJobService::LiftQuarantine(grpc::ServerContext*,
                                            const v1::LiftQuarantineRequest* request,
                                            v1::LiftQuarantineResponse* response) {
  absl::MutexLock lock(&mutex_);
  if (!failure_.ok()) return failure_;
  for (v1::Worker& worker : *workers_.mutable_workers()) {
    if (worker.name() != request->name()) continue;
    if (!worker.quarantine().empty()) *response->add_lifted() = worker;
    worker.clear_quarantine();
    return grpc::Status::OK;
  }
  return {grpc::NOT_FOUND, "no worker '" + request->name() + "' is connected or quarantined"};
}

grpc::Status FakeJobService::PullModel(grpc::ServerContext*, const v1::PullModelRequest* request,
                                       grpc::ServerWriter<v1::PullModelResponse>* writer) {
  std::string model;
  const grpc::Status status = WithJob(request->job_id(), [&](v1::Job* job) {
    mutex_.AssertHeld();
    if (job->model_sha256().empty()) {
      return grpc::Status(grpc::FAILED_PRECONDITION, "there is no checkpoint yet");
    }
    model = request->has_step() ? models_[request->step()] : model_;
    return grpc::Status::OK;
  });
  if (!status.ok()) return status;
  for (size_t at = 0; at < model.size(); at += kModelPieceBytes) {
    v1::PullModelResponse piece;
    piece.set_data(model.substr(at, kModelPieceBytes));
    if (!writer->Write(piece)) break;
  }
  return grpc::Status::OK;
}

grpc::Status FakeJobService::ListCheckpoints(grpc::ServerContext*,
                                             const v1::ListCheckpointsRequest* request,
                                             v1::ListCheckpointsResponse* response) {
  return WithJob(request->job_id(), [&](v1::Job*) {
    mutex_.AssertHeld();
    *response = checkpoints_;
    return grpc::Status::OK;
  });
}

grpc::Status FakeJobService::ListReceipts(grpc::ServerContext*,
                                          const v1::ListReceiptsRequest* request,
                                          v1::ListReceiptsResponse* response) {
  return WithJob(request->job_id(), [&](v1::Job*) {
    mutex_.AssertHeld();
    *response = receipts_;
    return grpc::Status::OK;
  });
}

FakeServer::FakeServer(FakeJobService* service, const std::string& listen) : service_(service) {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(listen, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(service);
  server_ = builder.BuildAndStart();
  LOCKSTEP_CHECK(server_ != nullptr, "the fake server does not listen");
  address_ = absl::StartsWith(listen, "unix:")
                 ? listen
                 : absl::StrCat(listen.substr(0, listen.rfind(':')), ":", port);
}

FakeServer::~FakeServer() {
  service_->EndStreams();
  server_->Shutdown(absl::ToChronoTime(absl::Now()));
}

}  // namespace lockstep::client
