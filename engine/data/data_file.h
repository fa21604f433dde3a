// Reads a data file from start to end, gunzipping it where its name ends in
// ".gz", and takes the SHA-256 of its bytes on disk on the way.
#ifndef LOCKSTEP_ENGINE_DATA_DATA_FILE_H_
#define LOCKSTEP_ENGINE_DATA_DATA_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/data/input_file.h"
#include "engine/data/sha256.h"

struct z_stream_s;

namespace lockstep::data {

// Threads: one thread at a time.
class DataFile {
 public:
  // Errors: as InputFile::Open.
  static absl::StatusOr<std::unique_ptr<DataFile>> Open(const std::string& path);

  ~DataFile();
  DataFile(const DataFile&) = delete;
  DataFile& operator=(const DataFile&) = delete;

  // Fills `out` with the next bytes and says how many; fewer than size_bytes
  // only at the end. A gzip file may have several members, as gzip allows.
  // Errors: DataLoss: damaged or truncated gzip data, or bytes after it that
  // are not gzip; the disk's. After an error only destruction is allowed.
  absl::StatusOr<size_t> Read(void* out, size_t size_bytes);

  // The most bytes that all Read calls together can give: the file's size, or
  // what deflate can make of it at best. A bound for sizes that a header claims.
  uint64_t most_bytes() const;

  // SHA-256 (hex) of the bytes on disk; reads what is left of them. To be
  // called once, last.
  absl::StatusOr<std::string> FinishSha256();

 private:
  DataFile(std::unique_ptr<InputFile> file, bool gzip);

  // Reads the next block from disk; an empty one at the end.
  absl::Status ReadBlock();
  absl::StatusOr<size_t> ReadGzip(char* out, size_t size_bytes);
  // Makes sure that the block has a byte, and begins the next member where one
  // has ended. False: the file is over, between members.
  absl::StatusOr<bool> PrepareInput();
  absl::Status GzipError(const char* what) const;

  const std::unique_ptr<InputFile> file_;
  std::vector<char> block_;
  size_t block_begin_ = 0;  // first byte not yet taken
  size_t block_end_ = 0;
  std::unique_ptr<z_stream_s> inflate_;  // null: not gzip
  bool between_members_ = false;         // a gzip member has ended
  Sha256 digest_;
};

}  // namespace lockstep::data

#endif  // LOCKSTEP_ENGINE_DATA_DATA_FILE_H_
