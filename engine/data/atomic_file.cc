#include "engine/data/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>

#include "absl/strings/str_cat.h"

namespace lockstep::data {
namespace {

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// What the present errno means for a file of `size_bytes` that was to be written.
absl::Status WriteError(const std::string& path, uint64_t size_bytes) {
  const int error = errno;
  const std::string what = absl::StrCat(path, ": cannot write its ", size_bytes, " bytes");
  const absl::Status status = absl::ErrnoToStatus(error, what);
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    return absl::ResourceExhaustedError(status.message());
  }
  return status;
}

// Opens a new file whose name begins with `path`; O_EXCL makes it ours alone
// among threads, and among what a dead process of the same number left.
int OpenTemporary(const std::string& path, std::string* temporary) {
  for (int number = 0;; ++number) {
    *temporary = absl::StrCat(path, ".tmp.", getpid(), ".", number);
    const int descriptor = open(temporary->c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor >= 0 || errno != EEXIST) return descriptor;
  }
}

bool WriteAll(int descriptor, absl::string_view bytes) {
  while (!bytes.empty()) {
    // Linux writes at most 2^31 - 4096 bytes in one call.
    const ssize_t count = write(descriptor, bytes.data(), std::min<size_t>(bytes.size(), 1 << 30));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

// Writes, syncs and closes; errno says what failed.
bool Fill(int descriptor, absl::Span<const absl::string_view> pieces) {
  bool good = true;
  for (absl::string_view piece : pieces) good = good && WriteAll(descriptor, piece);
  good = good && fsync(descriptor) == 0;
  const int error = errno;
  const bool closed = close(descriptor) == 0;
  if (!good) errno = error;
  return good && closed;
}

absl::Status SyncFolder(const std::string& folder) {
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool good = descriptor >= 0 && fsync(descriptor) == 0;
  const int error = errno;
  if (descriptor >= 0) close(descriptor);
  if (good) return absl::OkStatus();
  return absl::ErrnoToStatus(error, absl::StrCat(folder, ": cannot sync the folder"));
}

}  // namespace

absl::Status WriteFileAtomically(const std::string& path,
                                 absl::Span<const absl::string_view> pieces) {
  uint64_t size_bytes = 0;
  for (absl::string_view piece : pieces) size_bytes += piece.size();
  std::string temporary;
  const int descriptor = OpenTemporary(path, &temporary);
  if (descriptor < 0) return WriteError(path, size_bytes);
  if (!Fill(descriptor, pieces) || rename(temporary.c_str(), path.c_str()) != 0) {
    const absl::Status status = WriteError(path, size_bytes);
    unlink(temporary.c_str());
    return status;
  }
  return SyncFolder(FolderOf(path));
}

}  // namespace lockstep::data
