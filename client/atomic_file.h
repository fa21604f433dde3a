// A file that appears whole or not at all.
#ifndef LOCKSTEP_CLIENT_ATOMIC_FILE_H_
#define LOCKSTEP_CLIENT_ATOMIC_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lockstep::client {

// Writes to a temporary file beside `path` and renames it at Commit(). Without
// Commit() the temporary file is removed and `path` stays as it was.
// Errors: ResourceExhausted (the disk is full), InvalidArgument (`path` is a
// folder or a device), NotFound (its folder does not exist), PermissionDenied,
// otherwise Internal; all name the path.
class AtomicFile {
 public:
  static absl::StatusOr<AtomicFile> Create(const std::string& path);
  ~AtomicFile();
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&& other) = delete;

  absl::Status Write(absl::string_view data);
  // Flushes to the disk and gives the file its name; at most once, last.
  absl::Status Commit();
  // For reading back what was written before Commit().
  const std::string& temporary_path() const { return temporary_path_; }

 private:
  AtomicFile(std::string path, std::string temporary_path, int fd);

  const std::string path_;
  std::string temporary_path_;  // empty: committed or moved from
  int fd_;
};

// `errno` as a status whose message begins with "what path".
absl::Status FileError(int error_number, absl::string_view what, absl::string_view path);

// Writes all of `data` to the descriptor. Errors: as AtomicFile.
absl::Status WriteAll(int fd, absl::string_view data, absl::string_view path);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_ATOMIC_FILE_H_
