// A worker: connects to a server, prepares the jobs it is given, computes the
// shards it is handed, and comes back when the connection breaks.
#ifndef LOCKSTEP_WORKER_WORKER_H_
#define LOCKSTEP_WORKER_WORKER_H_

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "engine/model/layer_registry.h"
#include "worker/fault_injection.h"
#include "worker/inbox.h"
#include "worker/job_session.h"
#include "worker/retry_policy.h"
#include "worker/server_stream.h"

namespace lockstep::worker {

struct WorkerOptions {
  // "HOST:PORT" or "unix:/path" of the server. Required.
  std::string server;
  // For people; 1 to 64 characters of [A-Za-z0-9._-]. Required.
  std::string name;
  // OpenMP threads, 1 to 1024.
  int threads = 1;
  // Layers beside job.proto's that jobs may name.
  LayerRegistry layers;
  // What it does wrong on purpose, for tests of the server.
  FaultOptions faults;
  // Whether to use memory that a server on this machine maps too.
  bool shared_memory = true;

  // InvalidArgument: what is wrong with which flag.
  absl::Status Validate() const;
};

class Worker {
 public:
  explicit Worker(WorkerOptions options);

  // Works until Stop, on the calling thread. Returns OK after a Stop, and the
  // server's word where it refuses this worker for good (another protocol
  // version, a name that cannot be). A server that is away is waited for.
  absl::Status Run();

  // Ends Run after the node that is being computed. Threads: any.
  void Stop();
  // Breaks the present connection, as a network would; Run makes a new one.
  // Threads: any.
  void DropConnection();

 private:
  // One connection, from its beginning to its end.
  absl::Status Serve();
  void SetStream(ServerStream* stream);

  const WorkerOptions options_;
  const std::string instance_;  // Register.instance
  RetryPolicy retry_;
  FaultInjection faults_;
  // The job that was worked on last: kept over a connection that breaks, so that
  // its data need not be read again.
  std::shared_ptr<JobSession> last_session_;

  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<Inbox> inbox_ ABSL_GUARDED_BY(mutex_);  // of the present connection
  ServerStream* stream_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_WORKER_H_
