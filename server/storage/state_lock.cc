#include "server/storage/state_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/storage/state_files.h"

namespace lockstep::server {
namespace {

// What the holder wrote: its process id. Only for the message.
std::string HolderIn(int descriptor) {
  char text[32];
  const ssize_t size = pread(descriptor, text, sizeof(text), 0);
  return size <= 0 ? "unknown"
                   : std::string(absl::StripAsciiWhitespace(
                         absl::string_view(text, static_cast<size_t>(size))));
}

absl::Status WriteHolder(int descriptor, const std::string& path) {
  const std::string text = absl::StrCat(getpid(), "\n");
  if (ftruncate(descriptor, 0) != 0 ||
      pwrite(descriptor, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<StateLock>> StateLock::Acquire(const std::string& state_dir) {
  const absl::Status made = MakeFolder(state_dir);
  if (!made.ok()) return made;
  const std::string path = state_dir + "/lock";
  // O_CLOEXEC: worker processes started by this one must not keep the lock.
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
  auto lock = std::unique_ptr<StateLock>(new StateLock(path, descriptor));
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return absl::ErrnoToStatus(errno, absl::StrCat("cannot lock ", path));
    }
    return absl::FailedPreconditionError(
        absl::StrCat("state folder ", state_dir, " is in use by another server (process ",
                     HolderIn(descriptor), "): stop it or give this one another --state-dir"));
  }
  const absl::Status written = WriteHolder(descriptor, path);
  if (!written.ok()) return written;
  return lock;
}

absl::Status StateLock::CheckInPlace() const {
  struct stat held = {};
  struct stat present = {};
  if (fstat(descriptor_, &held) == 0 && stat(path_.c_str(), &present) == 0 &&
      held.st_dev == present.st_dev && held.st_ino == present.st_ino) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat(
      path_, " was deleted or replaced under the running server; restart lockstep-server"));
}

StateLock::~StateLock() { close(descriptor_); }

}  // namespace lockstep::server
