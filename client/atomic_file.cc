#include "client/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace lockstep::client {
namespace {

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Opens a new file beside `path`, with the mode that the umask gives (which
// mkstemp's 0600 would not), and sets `temporary` to its name. -1: see errno.
int OpenTemporary(const std::string& path, std::string* temporary) {
  for (int attempt = 0;; ++attempt) {
    *temporary = absl::StrCat(path, ".tmp-", getpid(), "-", attempt);
    const int fd = open(temporary->c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0 || errno != EEXIST) return fd;
  }
}

}  // namespace

absl::Status FileError(int error_number, absl::string_view what, absl::string_view path) {
  const std::string message = absl::StrCat(what, " ", path, ": ", strerror(error_number));
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return absl::ResourceExhaustedError(message);
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(message);
    case EISDIR:
      return absl::InvalidArgumentError(message);
    default:
      return absl::InternalError(message);
  }
}

absl::Status WriteAll(int fd, absl::string_view data, absl::string_view path) {
  while (!data.empty()) {
    const ssize_t written = write(fd, data.data(), data.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return FileError(errno, "writing", path);
    }
    data.remove_prefix(written);
  }
  return absl::OkStatus();
}

AtomicFile::AtomicFile(std::string path, std::string temporary_path, int fd)
    : path_(std::move(path)), temporary_path_(std::move(temporary_path)), fd_(fd) {}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(other.path_),
      temporary_path_(std::exchange(other.temporary_path_, "")),
      fd_(std::exchange(other.fd_, -1)) {}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) close(fd_);
  if (!temporary_path_.empty()) unlink(temporary_path_.c_str());
}

absl::StatusOr<AtomicFile> AtomicFile::Create(const std::string& path) {
  struct stat existing;
  // Renaming over a device such as /dev/null would replace it.
  if (stat(path.c_str(), &existing) == 0 && !S_ISREG(existing.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat("writing ", path, ": it exists and is not a regular file"));
  }
  std::string temporary;
  const int fd = OpenTemporary(path, &temporary);
  if (fd < 0) return FileError(errno, "creating", path);
  return AtomicFile(path, std::move(temporary), fd);
}

absl::Status AtomicFile::Write(absl::string_view data) { return WriteAll(fd_, data, path_); }

absl::Status AtomicFile::Commit() {
  if (fsync(fd_) != 0) return FileError(errno, "writing", path_);
  if (close(std::exchange(fd_, -1)) != 0) return FileError(errno, "writing", path_);
  if (rename(temporary_path_.c_str(), path_.c_str()) != 0) {
    return FileError(errno, "renaming to", path_);
  }
  temporary_path_.clear();
  const int folder = open(FolderOf(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    // Some file systems refuse to flush a folder; the file itself is safe.
    fsync(folder);
    close(folder);
  }
  return absl::OkStatus();
}

}  // namespace lockstep::client
