// A server and workers as children of this process: what `lockstep train` runs.
#ifndef LOCKSTEP_CLIENT_EMBEDDED_CLUSTER_H_
#define LOCKSTEP_CLIENT_EMBEDDED_CLUSTER_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/child_process.h"
#include "client/retry.h"

namespace lockstep::client {

struct EmbeddedClusterOptions {
  std::string server_program;
  std::string worker_program;
  std::string state_dir;
  std::string log_dir;  // exists; gets server.log, worker-0.log, ...
  // A folder of its own, for the socket, is made in here; /tmp where that
  // would make the socket's path too long.
  std::string temporary_folder = "/tmp";
  int workers = 1;
  int threads = 1;                       // of each worker
  std::string instruction_set = "best";  // "best": the programs' own choice
  // For --chaos: the part of its shards that each worker answers wrongly, by a
  // seed of its own.
  double corrupt_shard = 0;
  uint64_t corrupt_seed = 0;
  // How long the server may take to say that it listens.
  absl::Duration start_patience = absl::Seconds(30);
  // How long children may take to end when asked to.
  absl::Duration stop_patience = absl::Seconds(10);
  // A worker that dies is started again this often; one that then lives for
  // `healthy_after` has its starts forgotten.
  int most_restarts = 5;
  absl::Duration healthy_after = absl::Seconds(60);
  BackoffOptions restart_backoff = {absl::Milliseconds(200), absl::Seconds(5), 2.0, 0.2};
};

// Threads: the main thread (see ChildProcess).
class EmbeddedCluster {
 public:
  // Starts the server and waits until it listens; no workers yet. Errors:
  // InvalidArgument: the server refused its arguments (exit code 2); Internal:
  // it ended early or said nothing in time. Both with the end of its log.
  // `stop_waiting`: asked about ten times a second; true gives Cancelled.
  static absl::StatusOr<std::unique_ptr<EmbeddedCluster>> Start(
      const EmbeddedClusterOptions& options, const std::function<bool()>& stop_waiting = {});
  // Kills what still runs and removes the socket's folder.
  ~EmbeddedCluster();

  // "unix:/...".
  const std::string& address() const { return address_; }
  // Holds the socket; whoever ends the process at once may remove it.
  const std::string& socket_folder() const { return socket_folder_; }

  absl::Status StartWorkers();

  // Call it often. Restarts workers that have died and adds a line for each to
  // `notes`. Errors, with the end of the log: Internal: the server has died,
  // or no worker is left.
  absl::Status Supervise(std::vector<std::string>* notes);

  // ---- for --chaos
  int workers() const { return static_cast<int>(workers_.size()); }
  // Sends the worker a signal; false: it does not run now.
  bool SignalWorker(int worker, int signal_number);
  // The same to the worker with this process id; false: there is none.
  bool SignalProcess(pid_t pid, int signal_number);
  // SIGKILL, and a new server on the same state folder and address.
  absl::Status KillAndRestartServer();

  // Asks all to end, workers first, and kills those that do not.
  void Stop();

 private:
  struct WorkerSlot {
    std::string name;
    std::string log_path;
    std::unique_ptr<ChildProcess> process;  // null: dead
    absl::Time started_at;
    absl::Time restart_at = absl::InfiniteFuture();
    int restarts = 0;
    bool given_up = false;
    Backoff backoff;
    int starts = 0;
  };

  explicit EmbeddedCluster(const EmbeddedClusterOptions& options) : options_(options) {}

  absl::Status MakeSocketFolder();
  absl::Status StartServer(const std::function<bool()>& stop_waiting);
  absl::Status ServerTrouble(absl::string_view what);
  absl::Status StartWorker(WorkerSlot* slot);
  void SuperviseWorker(WorkerSlot* slot, std::vector<std::string>* notes);
  absl::Status NoWorkersLeft() const;

  const EmbeddedClusterOptions options_;
  std::string socket_folder_;
  std::string address_;
  std::string server_log_;
  std::unique_ptr<ChildProcess> server_;
  std::vector<WorkerSlot> workers_;
};

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_EMBEDDED_CLUSTER_H_
