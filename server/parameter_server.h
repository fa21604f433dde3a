// The whole server: services, health checking and reflection on one port.
#ifndef LOCKSTEP_SERVER_PARAMETER_SERVER_H_
#define LOCKSTEP_SERVER_PARAMETER_SERVER_H_

#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "engine/model/layer_registry.h"

namespace grpc {
class Server;
}

namespace lockstep::server {

class JobManager;
class JobServiceImpl;
class WorkerServiceImpl;

class ParameterServer {
 public:
  struct Options {
    // "HOST:PORT" (port 0: any free one), or "unix:/path".
    std::string listen = "127.0.0.1:7070";
    // Jobs, checkpoints; created where missing. Required.
    std::string state_dir;
    // A worker not heard from for this long is given up. 100 ms to 1 h.
    absl::Duration lease = absl::Seconds(3);
    // Layers beside job.proto's that jobs may name.
    LayerRegistry layers;
    // Whether workers on this machine may use memory that both map.
    bool shared_memory = true;

    // InvalidArgument: what is wrong with which flag.
    absl::Status Validate() const;
  };

  // Returns a server that answers. Errors: InvalidArgument (options),
  // Unavailable (the address cannot be listened on), and JobStore::Open's.
  static absl::StatusOr<std::unique_ptr<ParameterServer>> Start(Options options);
  // As Shutdown.
  ~ParameterServer();

  // Stops running jobs after their step, keeping their state, then ends all
  // streams. Takes at most about `timeout` and a second. Idempotent.
  void Shutdown(absl::Duration timeout = absl::Seconds(10));

  // What clients and workers connect to: the options' with the true port.
  const std::string& address() const { return address_; }

 private:
  explicit ParameterServer(Options options);
  void WatchWorkers();

  const Options options_;
  std::string address_;
  std::unique_ptr<JobManager> manager_;
  std::unique_ptr<JobServiceImpl> job_service_;
  std::unique_ptr<WorkerServiceImpl> worker_service_;
  std::unique_ptr<grpc::Server> grpc_server_;
  absl::Notification stopped_;
  std::thread watch_thread_;
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_PARAMETER_SERVER_H_
