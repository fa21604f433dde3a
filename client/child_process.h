// A program run as a child that cannot outlive this process.
#ifndef LOCKSTEP_CLIENT_CHILD_PROCESS_H_
#define LOCKSTEP_CLIENT_CHILD_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace lockstep::client {

struct ChildProcessOptions {
  // The executable's path, then its arguments.
  std::vector<std::string> command;
  // Standard error goes to the end of this file; so does standard output
  // unless it is read here.
  std::string log_path;
  bool read_output = false;
};

// The kernel kills the child when the thread that started it ends, whatever
// ended it: so start children from the main thread. The child has a process
// group of its own (Ctrl-C at the terminal does not reach it) and no standard
// input.
// Threads: one at a time.
class ChildProcess {
 public:
  // Errors: NotFound, PermissionDenied, ...: it could not be executed (named);
  // AtomicFile's for the log.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(const ChildProcessOptions& options);
  // Kills the child if it still runs.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  // Whether it has ended; collects its result.
  bool HasEnded();
  // "exited with code 3", "was killed by signal 9 (Killed)". Requires: HasEnded().
  std::string EndText() const;
  // Requires: HasEnded(). Nothing if a signal ended it.
  std::optional<int> exit_code() const;

  // The next line of its output, without the line end; nothing if none came
  // within `patience`, or the output has ended. Requires: read_output.
  std::optional<std::string> ReadLine(absl::Duration patience);
  // Throws away what it wrote to its output, so that it never waits for us.
  void DrainOutput();

  // Asks it to end (SIGTERM).
  void Terminate();
  // Waits for its end; false: it still runs after `patience`.
  bool WaitForEnd(absl::Duration patience);
  // SIGKILL, and waits.
  void Kill();

 private:
  ChildProcess(pid_t pid, int output_fd) : pid_(pid), output_fd_(output_fd) {}

  const pid_t pid_;
  int output_fd_;  // -1: none
  std::string unread_;
  std::optional<int> wait_status_;
};

// The last `lines` lines of a file, at most 4 KiB; empty if it cannot be read.
std::string LastLines(const std::string& path, int lines);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_CHILD_PROCESS_H_
