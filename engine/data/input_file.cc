#include "engine/data/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"

namespace lockstep::data {

absl::StatusOr<std::unique_ptr<InputFile>> InputFile::Open(const std::string& path) {
  // O_NONBLOCK: opening a pipe without a writer must not hang; files do not see it.
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot open"));
  struct stat info;
  if (fstat(descriptor, &info) != 0) {
    const int error = errno;
    close(descriptor);
    return absl::ErrnoToStatus(error, absl::StrCat(path, ": cannot look at"));
  }
  if (!S_ISREG(info.st_mode)) {
    close(descriptor);
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": got a ", S_ISDIR(info.st_mode) ? "folder" : "pipe or device", ", want a file"));
  }
  return absl::WrapUnique(new InputFile(path, descriptor, static_cast<uint64_t>(info.st_size)));
}

InputFile::~InputFile() { close(descriptor_); }

absl::StatusOr<size_t> InputFile::Read(void* out, size_t size_bytes) {
  size_t done = 0;
  while (done < size_bytes) {
    const ssize_t count = read(descriptor_, static_cast<char*>(out) + done, size_bytes - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return absl::ErrnoToStatus(errno, absl::StrCat(path_, ": cannot read"));
    if (count == 0) break;
    done += static_cast<size_t>(count);
  }
  return done;
}

}  // namespace lockstep::data
