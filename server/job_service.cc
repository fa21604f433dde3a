#include "server/job_service.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/codec/status_codec.h"

namespace lockstep::server {
namespace {

constexpr size_t kPieceBytes = 1 << 20;
constexpr int kMostArrivals = 100000;

bool IsFinal(v1::JobState state) {
  return state == v1::SUCCEEDED || state == v1::FAILED || state == v1::CANCELLED;
}

// Converts, filling the response where there is one.
template <typename Response>
grpc::Status Answer(absl::StatusOr<Response> answer, Response* response) {
  if (!answer.ok()) return ToGrpcStatus(answer.status());
  *response = *std::move(answer);
  return grpc::Status::OK;
}

// In pieces.
grpc::Status SendFile(const absl::StatusOr<std::string>& bytes,
                      grpc::ServerWriter<v1::PullModelResponse>* writer) {
  if (!bytes.ok()) return ToGrpcStatus(bytes.status());
  v1::PullModelResponse piece;
  for (size_t at = 0; at < bytes->size(); at += kPieceBytes) {
    piece.set_data(bytes->substr(at, kPieceBytes));
    if (!writer->Write(piece)) break;
  }
  return grpc::Status::OK;
}

absl::Time DeadlineOf(const grpc::ServerContext& context) {
  return std::min(absl::FromChrono(context.deadline()), absl::Now() + absl::Hours(1));
}

}  // namespace

grpc::Status JobServiceImpl::SubmitJob(grpc::ServerContext*,
                                       grpc::ServerReader<v1::SubmitJobRequest>* reader,
                                       v1::Job* response) {
  v1::SubmitJobRequest request;
  if (!reader->Read(&request) || !request.has_spec()) {
    return ToGrpcStatus(absl::InvalidArgumentError("spec: got none in the first message"));
  }
  v1::JobSpec spec = request.spec();
  if (request.has_from()) return Answer(manager_->SubmitFork(spec, request.from()), response);
  // Nothing is taken in for a job that would be refused.
  const auto most = manager_->MostInitialBytes(spec);
  if (!most.ok()) return ToGrpcStatus(most.status());
  std::string initial;
  v1::Arrivals replay;
  do {
    replay.MergeFrom(request.replay());
    initial += request.init_from_data();
    if (initial.size() > *most) {
      return ToGrpcStatus(absl::InvalidArgumentError(
          absl::StrCat("init_from_data: got more than ", *most,
                       " bytes, want the file that the job begins with")));
    }
  } while (reader->Read(&request));
  return Answer(manager_->Submit(std::move(spec), initial, replay), response);
}

grpc::Status JobServiceImpl::GetJob(grpc::ServerContext*, const v1::GetJobRequest* request,
                                    v1::Job* response) {
  return Answer(manager_->Get(request->job_id()), response);
}

grpc::Status JobServiceImpl::ListJobs(grpc::ServerContext*, const v1::ListJobsRequest*,
                                      v1::ListJobsResponse* response) {
  auto jobs = manager_->List();
  if (!jobs.ok()) return ToGrpcStatus(jobs.status());
  for (v1::Job& job : *jobs) *response->add_jobs() = std::move(job);
  return grpc::Status::OK;
}

grpc::Status JobServiceImpl::WatchJob(grpc::ServerContext* context,
                                      const v1::WatchJobRequest* request,
                                      grpc::ServerWriter<v1::Job>* writer) {
  const uint32_t interval_ms = request->interval_ms() == 0 ? 200 : request->interval_ms();
  const absl::Duration interval = absl::Milliseconds(std::min<uint32_t>(interval_ms, 60000));
  std::string last;
  while (!context->IsCancelled() && !stopping_) {
    const auto job = manager_->Get(request->job_id());
    if (!job.ok()) return ToGrpcStatus(job.status());
    std::string bytes = job->SerializeAsString();
    if (bytes != last) {
      if (!writer->Write(*job)) break;
      last = std::move(bytes);
    }
    if (IsFinal(job->state())) return grpc::Status::OK;
    manager_->WaitForChange(interval);
  }
  return ToGrpcStatus(absl::UnavailableError("the server is stopping"));
}

grpc::Status JobServiceImpl::CancelJob(grpc::ServerContext* context,
                                       const v1::CancelJobRequest* request, v1::Job* response) {
  return Answer(manager_->Cancel(request->job_id(), DeadlineOf(*context)), response);
}

grpc::Status JobServiceImpl::PauseJob(grpc::ServerContext* context,
                                      const v1::PauseJobRequest* request, v1::Job* response) {
  return Answer(manager_->Pause(request->job_id(), DeadlineOf(*context)), response);
}

grpc::Status JobServiceImpl::ResumeJob(grpc::ServerContext*, const v1::ResumeJobRequest* request,
                                       v1::Job* response) {
  return Answer(manager_->Resume(request->job_id()), response);
}

grpc::Status JobServiceImpl::ListWorkers(grpc::ServerContext*, const v1::ListWorkersRequest*,
                                         v1::ListWorkersResponse* response) {
  for (v1::Worker& worker : manager_->Workers()) *response->add_workers() = std::move(worker);
  return grpc::Status::OK;
}

grpc::Status JobServiceImpl::LiftQuarantine(grpc::ServerContext*,
                                            const v1::LiftQuarantineRequest* request,
                                            v1::LiftQuarantineResponse* response) {
  return Answer(manager_->LiftQuarantine(request->name()), response);
}

grpc::Status JobServiceImpl::PullModel(grpc::ServerContext*, const v1::PullModelRequest* request,
                                       grpc::ServerWriter<v1::PullModelResponse>* writer) {
  const std::optional<uint64_t> step =
      request->has_step() ? std::make_optional(request->step()) : std::nullopt;
  return SendFile(manager_->ModelBytes(request->job_id(), step), writer);
}

grpc::Status JobServiceImpl::PullCheckpoint(grpc::ServerContext*,
                                            const v1::PullCheckpointRequest* request,
                                            grpc::ServerWriter<v1::PullModelResponse>* writer) {
  return SendFile(manager_->CheckpointBytes(request->job_id(), request->step()), writer);
}

grpc::Status JobServiceImpl::ListCheckpoints(grpc::ServerContext*,
                                             const v1::ListCheckpointsRequest* request,
                                             v1::ListCheckpointsResponse* response) {
  return Answer(manager_->Checkpoints(request->job_id()), response);
}

grpc::Status JobServiceImpl::ListReceipts(grpc::ServerContext*,
                                          const v1::ListReceiptsRequest* request,
                                          v1::ListReceiptsResponse* response) {
  return Answer(manager_->Receipts(request->job_id()), response);
}

grpc::Status JobServiceImpl::GetArrivals(grpc::ServerContext*,
                                         const v1::GetArrivalsRequest* request,
                                         grpc::ServerWriter<v1::Arrivals>* writer) {
  const auto stretches = manager_->Arrivals(request->job_id());
  if (!stretches.ok()) return ToGrpcStatus(stretches.status());
  for (const v1::Arrivals& stretch : *stretches) {
    for (int at = 0; at < stretch.tickets_size(); at += kMostArrivals) {
      const int end = std::min(stretch.tickets_size(), at + kMostArrivals);
      v1::Arrivals piece;
      piece.set_step(stretch.step());
      for (int i = at; i < end; ++i) {
        piece.add_tickets(stretch.tickets(i));
        piece.add_bases(stretch.bases(i));
      }
      if (!writer->Write(piece)) return grpc::Status::OK;
    }
  }
  return grpc::Status::OK;
}

grpc::Status JobServiceImpl::GetDigests(grpc::ServerContext*, const v1::GetDigestsRequest* request,
                                        v1::JobDigests* response) {
  return Answer(manager_->Digests(request->job_id(), request->after_step()), response);
}

}  // namespace lockstep::server
