// A JobService without training, on a real gRPC server: jobs do what the test
// says. (For tests; knows nothing of state machines or persistence.)
#ifndef LOCKSTEP_CLIENT_TESTING_FAKE_JOB_SERVICE_H_
#define LOCKSTEP_CLIENT_TESTING_FAKE_JOB_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "lockstep/v1/job_service.grpc.pb.h"

namespace lockstep::client {

// Threads: all functions from any thread.
class FakeJobService : public v1::JobService::Service {
 public:
  // Adds or replaces a job.
  void PutJob(const v1::Job& job);
  // Changes a job; watchers see it. Does nothing for an unknown one.
  void ChangeJob(const std::string& job_id, const std::function<void(v1::Job*)>& change);
  v1::Job job(const std::string& job_id);
  void AddWorker(const v1::Worker& worker);
  // What PullModel sends; of a step that has another one, that.
  void SetModel(const std::string& bytes);
  void SetModelOfStep(uint64_t step, const std::string& bytes);
  void SetCheckpoints(const v1::ListCheckpointsResponse& checkpoints);
  void SetReceipts(const v1::ListReceiptsResponse& receipts);
  // All later calls fail so; OK: no more.
  void FailCalls(const grpc::Status& status);
  // Called, outside of all locks, after a job was submitted, resumed,
  // paused or cancelled.
  void OnChange(std::function<void(const v1::Job&)> callback);
  // Makes watchers' streams end without an error, as a stopping server's do.
  void EndStreams();

  // What the newest SubmitJob brought, and in how many pieces.
  std::string init_from_data();
  int init_from_pieces();
  v1::ForkRequest fork_request();
  int watch_calls();

  grpc::Status SubmitJob(grpc::ServerContext*, grpc::ServerReader<v1::SubmitJobRequest>* reader,
                         v1::Job* response) override;
  grpc::Status GetJob(grpc::ServerContext*, const v1::GetJobRequest* request,
                      v1::Job* response) override;
  grpc::Status ListJobs(grpc::ServerContext*, const v1::ListJobsRequest*,
                        v1::ListJobsResponse* response) override;
  grpc::Status WatchJob(grpc::ServerContext* context, const v1::WatchJobRequest* request,
                        grpc::ServerWriter<v1::Job>* writer) override;
  grpc::Status CancelJob(grpc::ServerContext*, const v1::CancelJobRequest* request,
                         v1::Job* response) override;
  grpc::Status PauseJob(grpc::ServerContext*, const v1::PauseJobRequest* request,
                        v1::Job* response) override;
  grpc::Status ResumeJob(grpc::ServerContext*, const v1::ResumeJobRequest* request,
                         v1::Job* response) override;
  grpc::Status ListWorkers(grpc::ServerContext*, const v1::ListWorkersRequest*,
                           v1::ListWorkersResponse* response) override;
  // Of those of AddWorker.
  grpc::Status LiftQuarantine(grpc::ServerContext*, const v1::LiftQuarantineRequest* request,
                              v1::LiftQuarantineResponse* response) override;
  grpc::Status PullModel(grpc::ServerContext*, const v1::PullModelRequest* request,
                         grpc::ServerWriter<v1::PullModelResponse>* writer) override;
  grpc::Status ListCheckpoints(grpc::ServerContext*, const v1::ListCheckpointsRequest* request,
                               v1::ListCheckpointsResponse* response) override;
  grpc::Status ListReceipts(grpc::ServerContext*, const v1::ListReceiptsRequest* request,
                            v1::ListReceiptsResponse* response) override;

 private:
  // The common answer for one job: what FailCalls set, NOT_FOUND, or `use`.
  grpc::Status WithJob(const std::string& job_id, const std::function<grpc::Status(v1::Job*)>& use);
  void Announce(const v1::Job& job);

  absl::Mutex mutex_;
  std::map<std::string, v1::Job> jobs_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> versions_ ABSL_GUARDED_BY(mutex_);
  v1::ListWorkersResponse workers_ ABSL_GUARDED_BY(mutex_);
  std::string model_ ABSL_GUARDED_BY(mutex_) = "model";
  std::map<uint64_t, std::string> models_ ABSL_GUARDED_BY(mutex_);  // by step
  v1::ListCheckpointsResponse checkpoints_ ABSL_GUARDED_BY(mutex_);
  v1::ListReceiptsResponse receipts_ ABSL_GUARDED_BY(mutex_);
  grpc::Status failure_ ABSL_GUARDED_BY(mutex_);
  std::function<void(const v1::Job&)> on_change_ ABSL_GUARDED_BY(mutex_);
  std::string init_from_data_ ABSL_GUARDED_BY(mutex_);
  v1::ForkRequest fork_request_ ABSL_GUARDED_BY(mutex_);
  int init_from_pieces_ ABSL_GUARDED_BY(mutex_) = 0;
  int watch_calls_ ABSL_GUARDED_BY(mutex_) = 0;
  int stream_generation_ ABSL_GUARDED_BY(mutex_) = 0;
};

// A gRPC server for one service.
class FakeServer {
 public:
  // `listen`: "unix:PATH" or HOST:PORT; the default takes any free port.
  explicit FakeServer(FakeJobService* service, const std::string& listen = "127.0.0.1:0");
  ~FakeServer();

  // What a client dials.
  const std::string& address() const { return address_; }

 private:
  std::string address_;
  FakeJobService* const service_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_TESTING_FAKE_JOB_SERVICE_H_
