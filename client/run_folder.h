// The folder that `lockstep train` writes to:
//
//   OUTPUT/model.safetensors    the model
//   OUTPUT/metrics.jsonl        docs/metrics.md
//   OUTPUT/logs/                server.log, worker-0.log, ...
//   OUTPUT/state/               the server's state folder (or --state-dir)
#ifndef LOCKSTEP_CLIENT_RUN_FOLDER_H_
#define LOCKSTEP_CLIENT_RUN_FOLDER_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lockstep::client {

enum class RunMode {
  kNew,        // there must be no run in the folder
  kResume,     // there must be one
  kOverwrite,  // one that is there is deleted
};

// Holds a lock on OUTPUT (flock; gone with the process) for as long as it lives.
class RunFolder {
 public:
  // Checks first, changes then. `state_dir`: empty for OUTPUT/state.
  // Errors: InvalidArgument: what is there does not fit `mode`, with the
  // options that would; or kOverwrite with a state folder outside OUTPUT, which
  // may be a server's with other jobs in it. FailedPrecondition: another
  // `lockstep train` uses the folder. Otherwise those of the file system.
  static absl::StatusOr<std::unique_ptr<RunFolder>> Open(const std::string& output,
                                                         const std::string& state_dir,
                                                         RunMode mode);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  std::string model_path() const { return output_ + "/model.safetensors"; }
  std::string metrics_path() const { return output_ + "/metrics.jsonl"; }
  std::string log_dir() const { return output_ + "/logs"; }
  const std::string& state_dir() const { return state_dir_; }

  // Removes the state of a run that came to nothing, so that the next one is
  // not taken for its continuation. Does nothing where the run was not new.
  void ForgetNewState();

 private:
  RunFolder(std::string output, std::string state_dir, RunMode mode);

  bool HasState() const;
  absl::Status CheckFits() const;
  absl::Status CreateAndLock();
  absl::Status DeleteState() const;
  absl::Status DeleteRun() const;

  const std::string output_;
  const std::string state_dir_;
  const RunMode mode_;
  int lock_fd_ = -1;
};

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_RUN_FOLDER_H_
