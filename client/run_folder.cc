#include "client/run_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/atomic_file.h"

namespace lockstep::client {
namespace {

namespace fs = std::filesystem;

// What a server keeps in its state folder, but for its lock.
constexpr const char* kStateNames[] = {"lockstep.db", "lockstep.db-wal", "lockstep.db-shm",
                                       "checkpoints"};

bool Exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

absl::Status Remove(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  return error ? FileError(error.value(), "removing", path) : absl::OkStatus();
}

absl::Status MakeFolder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  return error ? FileError(error.value(), "creating", path) : absl::OkStatus();
}

}  // namespace

RunFolder::RunFolder(std::string output, std::string state_dir, RunMode mode)
    : output_(std::move(output)),
      state_dir_(state_dir.empty() ? output_ + "/state" : std::move(state_dir)),
      mode_(mode) {}

RunFolder::~RunFolder() {
  if (lock_fd_ >= 0) close(lock_fd_);
}

absl::StatusOr<std::unique_ptr<RunFolder>> RunFolder::Open(const std::string& output,
                                                           const std::string& state_dir,
                                                           RunMode mode) {
  std::unique_ptr<RunFolder> folder(new RunFolder(output, state_dir, mode));
  // Once before anything is created, and again when nobody else can change it.
  absl::Status status = folder->CheckFits();
  if (status.ok()) status = folder->CreateAndLock();
  if (status.ok()) status = folder->CheckFits();
  if (status.ok() && mode == RunMode::kOverwrite) status = folder->DeleteRun();
  if (!status.ok()) return status;
  return folder;
}

bool RunFolder::HasState() const { return Exists(state_dir_ + "/lockstep.db"); }

absl::Status RunFolder::CheckFits() const {
  switch (mode_) {
    case RunMode::kResume:
      if (HasState()) return absl::OkStatus();
      return absl::InvalidArgumentError(absl::StrCat("--resume: there is no run in ", state_dir_,
                                                     "; leave --resume out to start one"));
    case RunMode::kOverwrite:
      if (!HasState() || state_dir_ == output_ + "/state") return absl::OkStatus();
      return absl::InvalidArgumentError(
          absl::StrCat("--overwrite: ", state_dir_, " is outside ", output_,
                       " and holds jobs; delete it yourself or give another --state-dir"));
    case RunMode::kNew:
      break;
  }
  const std::string& taken = HasState() ? state_dir_ : model_path();
  if (!Exists(taken)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(taken,
                   " is there from a run before: --resume goes on with it, --output DIR "
                   "puts a new one elsewhere, --overwrite deletes it"));
}

absl::Status RunFolder::CreateAndLock() {
  for (const std::string& path : {output_, log_dir(), state_dir_}) {
    absl::Status status = MakeFolder(path);
    if (!status.ok()) return status;
  }
  lock_fd_ = open(output_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock_fd_ < 0) return FileError(errno, "opening", output_);
  if (flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return FileError(errno, "locking", output_);
    return absl::FailedPreconditionError(
        absl::StrCat("another `lockstep train` is using ", output_));
  }
  return absl::OkStatus();
}

absl::Status RunFolder::DeleteState() const {
  for (const char* name : kStateNames) {
    absl::Status status = Remove(absl::StrCat(state_dir_, "/", name));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status RunFolder::DeleteRun() const {
  for (const std::string& path : {model_path(), metrics_path(), log_dir()}) {
    absl::Status status = Remove(path);
    if (!status.ok()) return status;
  }
  absl::Status status = DeleteState();
  return status.ok() ? MakeFolder(log_dir()) : status;
}

void RunFolder::ForgetNewState() {
  if (mode_ != RunMode::kResume) DeleteState().IgnoreError();
}

}  // namespace lockstep::client
