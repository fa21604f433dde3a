// A program of Lockstep (or any other) run by a test: client::ChildProcess with
// an environment, a working folder, and its output in files.
#ifndef LOCKSTEP_TESTS_TESTING_PROCESS_H_
#define LOCKSTEP_TESTS_TESTING_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/child_process.h"
#include "tests/testing/logged_folder.h"

namespace lockstep::tests {

// Path of a file of the repository in the test's runfiles, which must be in
// its `data`: "client/lockstep", "examples/digits/digits.csv".
std::string Runfile(const std::string& path);

struct ProcessOptions {
  // The program (a path, or a name to look up in PATH) and its arguments.
  std::vector<std::string> command;
  // "NAME=value"; added to the test's own environment, in which
  // LOCKSTEP_SERVER is not set.
  std::vector<std::string> environment;
  // Empty: the test's own.
  std::string working_folder;
};

// Killed with the test's main thread, and at the end of its life here.
// Threads: the main one.
class Process {
 public:
  // Standard output and error go to `name`.out and `name`.err in `folder`.
  // Aborts where the process cannot be made.
  Process(const LoggedFolder& folder, const std::string& name, const ProcessOptions& options);

  pid_t pid() const { return child_->pid(); }
  void Signal(int signal_number);
  bool HasEnded() { return child_->HasEnded(); }
  // False: it still runs after `patience`.
  bool WaitForEnd(absl::Duration patience) { return child_->WaitForEnd(patience); }
  // SIGKILL; returns when it is gone.
  void Kill() { child_->Kill(); }
  // -1: a signal ended it. Requires: HasEnded().
  int exit_code() const { return child_->exit_code().value_or(-1); }
  // "exited with code 3", "was killed by signal 9 (Killed)". Requires: HasEnded().
  std::string EndText() const { return child_->EndText(); }

  // What it has written so far.
  std::string out() const;
  std::string err() const;

 private:
  const std::string out_path_;
  const std::string err_path_;
  std::unique_ptr<client::ChildProcess> child_;
};

}  // namespace lockstep::tests

#endif  // LOCKSTEP_TESTS_TESTING_PROCESS_H_
