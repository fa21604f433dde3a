// A regular file, read from start to end, with statuses for errors.
#ifndef LOCKSTEP_ENGINE_DATA_INPUT_FILE_H_
#define LOCKSTEP_ENGINE_DATA_INPUT_FILE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace lockstep::data {

// What readers take from disk at a time: enough that the calls do not count,
// little enough to stay in cache for what is done with the bytes.
inline constexpr size_t kFileBlockBytes = 256 * 1024;

// Threads: one thread at a time.
class InputFile {
 public:
  // Errors, with the path: NotFound; PermissionDenied; InvalidArgument: not a
  // regular file (a folder, a pipe).
  static absl::StatusOr<std::unique_ptr<InputFile>> Open(const std::string& path);

  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  // Fills `out` with the next bytes and says how many; fewer than size_bytes
  // only at the end. Errors: the disk's, with the path.
  absl::StatusOr<size_t> Read(void* out, size_t size_bytes);

  const std::string& path() const { return path_; }
  // When it was opened.
  uint64_t size_bytes() const { return size_bytes_; }

 private:
  InputFile(const std::string& path, int descriptor, uint64_t size_bytes)
      : path_(path), descriptor_(descriptor), size_bytes_(size_bytes) {}

  const std::string path_;
  const int descriptor_;
  const uint64_t size_bytes_;
};

}  // namespace lockstep::data

#endif  // LOCKSTEP_ENGINE_DATA_INPUT_FILE_H_
