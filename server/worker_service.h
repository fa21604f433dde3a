// gRPC's side of WorkerService: one stream per worker, its frames decoded and
// handed to the JobManager, the manager's messages queued and written.
#ifndef LOCKSTEP_SERVER_WORKER_SERVICE_H_
#define LOCKSTEP_SERVER_WORKER_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "lockstep/v1/worker_service.grpc.pb.h"
#include "server/job_manager.h"

namespace lockstep::server {

// Frames go in and out as raw bytes (proto/codec/frame_codec.h), so that
// tensors are not copied into protobuf messages.
class WorkerServiceImpl
    : public v1::WorkerService::WithRawCallbackMethod_Connect<v1::WorkerService::Service> {
 public:
  // `manager` outlives the service. `shared_memory`: whether workers on this
  // machine may use it instead of their stream.
  WorkerServiceImpl(JobManager* manager, bool shared_memory)
      : manager_(manager), shared_memory_(shared_memory) {}

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Connect(
      grpc::CallbackServerContext* context) override;

 private:
  JobManager* const manager_;
  const bool shared_memory_;
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_WORKER_SERVICE_H_
