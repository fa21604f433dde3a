// gRPC's side of JobService: each method checks, calls the JobManager and
// converts the status.
#ifndef LOCKSTEP_SERVER_JOB_SERVICE_H_
#define LOCKSTEP_SERVER_JOB_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <atomic>

#include "lockstep/v1/job_service.grpc.pb.h"
#include "server/job_manager.h"

namespace lockstep::server {

class JobServiceImpl : public v1::JobService::Service {
 public:
  // `manager` outlives the service.
  explicit JobServiceImpl(JobManager* manager) : manager_(manager) {}

  grpc::Status SubmitJob(grpc::ServerContext* context,
                         grpc::ServerReader<v1::SubmitJobRequest>* reader,
                         v1::Job* response) override;
  grpc::Status GetJob(grpc::ServerContext* context, const v1::GetJobRequest* request,
                      v1::Job* response) override;
  grpc::Status ListJobs(grpc::ServerContext* context, const v1::ListJobsRequest* request,
                        v1::ListJobsResponse* response) override;
  grpc::Status WatchJob(grpc::ServerContext* context, const v1::WatchJobRequest* request,
                        grpc::ServerWriter<v1::Job>* writer) override;
  grpc::Status CancelJob(grpc::ServerContext* context, const v1::CancelJobRequest* request,
                         v1::Job* response) override;
  grpc::Status PauseJob(grpc::ServerContext* context, const v1::PauseJobRequest* request,
                        v1::Job* response) override;
  grpc::Status ResumeJob(grpc::ServerContext* context, const v1::ResumeJobRequest* request,
                         v1::Job* response) override;
  grpc::Status ListWorkers(grpc::ServerContext* context, const v1::ListWorkersRequest* request,
                           v1::ListWorkersResponse* response) override;
  grpc::Status LiftQuarantine(grpc::ServerContext* context,
                              const v1::LiftQuarantineRequest* request,
                              v1::LiftQuarantineResponse* response) override;
  grpc::Status PullModel(grpc::ServerContext* context, const v1::PullModelRequest* request,
                         grpc::ServerWriter<v1::PullModelResponse>* writer) override;

  grpc::Status PullCheckpoint(grpc::ServerContext* context,
                              const v1::PullCheckpointRequest* request,
                              grpc::ServerWriter<v1::PullModelResponse>* writer) override;
  grpc::Status ListCheckpoints(grpc::ServerContext* context,
                               const v1::ListCheckpointsRequest* request,
                               v1::ListCheckpointsResponse* response) override;
  grpc::Status ListReceipts(grpc::ServerContext* context, const v1::ListReceiptsRequest* request,
                            v1::ListReceiptsResponse* response) override;
  grpc::Status GetArrivals(grpc::ServerContext* context, const v1::GetArrivalsRequest* request,
                           grpc::ServerWriter<v1::Arrivals>* writer) override;
  grpc::Status GetDigests(grpc::ServerContext* context, const v1::GetDigestsRequest* request,
                          v1::JobDigests* response) override;

  // Ends the watching streams, which would otherwise hold up a shutdown.
  void Stop() { stopping_ = true; }

 private:
  JobManager* const manager_;
  std::atomic<bool> stopping_{false};
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_JOB_SERVICE_H_
