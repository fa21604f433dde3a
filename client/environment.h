// All that a command knows of the world outside its arguments. client_main.cc
// fills it from the process; tests fill it by hand.
#ifndef LOCKSTEP_CLIENT_ENVIRONMENT_H_
#define LOCKSTEP_CLIENT_ENVIRONMENT_H_

#include <functional>
#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/job_client.h"
#include "client/job_file/job_file.h"
#include "client/job_watcher.h"

namespace lockstep::client {

struct Environment {
  std::ostream* out = nullptr;
  std::ostream* err = nullptr;
  // Whether `out` is a terminal that takes escape sequences, and its columns.
  bool out_is_terminal = false;
  std::function<int()> terminal_width = [] { return 80; };
  std::function<absl::Time()> now = [] { return absl::Now(); };

  // Server to use where --server is not given; empty: none.
  std::string default_server;
  // Folder of the running executable, and the folders of commands ("a:b:c"):
  // where `train` looks for lockstep-server and lockstep-worker.
  std::string executable_folder;
  std::string search_path;
  // Where `train` makes the folder of its socket.
  std::string temporary_folder = "/tmp";

  // Reads, checks and completes a job file: LoadJobFile.
  std::function<LoadedJobFile(const std::string& path)> load_job_file;
  // The hash of the parameters in a safetensors file: HashModelFile.
  std::function<absl::StatusOr<std::string>(const std::string& path)> hash_model;

  JobClientTimeouts timeouts;
  JobWatcherOptions watch;
};

// Prints "lockstep: <message>" on one line of `err` and returns the exit code
// that stands for `status`.
int Fail(const Environment& environment, const absl::Status& status);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_ENVIRONMENT_H_
