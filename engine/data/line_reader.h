// The lines of a text file, one at a time, in memory of a few blocks.
#ifndef LOCKSTEP_ENGINE_DATA_LINE_READER_H_
#define LOCKSTEP_ENGINE_DATA_LINE_READER_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/data/data_file.h"

namespace lockstep::data {

// Refused beyond this: a file without line ends (say, a packed image) must not
// fill the memory. A row of 2^24 numbers of 16 characters still fits.
inline constexpr size_t kMostLineBytes = size_t{256} * 1024 * 1024;

// Threads: one thread at a time.
class LineReader {
 public:
  // Requires: `file`, with the path `path`, outlives the reader.
  LineReader(DataFile* file, const std::string& path, size_t most_line_bytes = kMostLineBytes)
      : file_(file), path_(path), most_line_bytes_(most_line_bytes) {}

  // Takes the next line, without its LF or CRLF, valid until the next call.
  // False: there are no more. Errors: DataFile::Read's; InvalidArgument: a line
  // longer than most_line_bytes, noticed at the next block's end.
  absl::StatusOr<bool> Next(absl::string_view* line);

  // Number of the line that Next gave last, from 1.
  int64_t line_number() const { return line_number_; }

 private:
  // Reads a further block behind what is in the buffer.
  absl::Status Refill();

  DataFile* const file_;
  const std::string path_;
  const size_t most_line_bytes_;
  std::string buffer_;
  size_t begin_ = 0;  // of the next line in buffer_
  bool file_ended_ = false;
  int64_t line_number_ = 0;
};

}  // namespace lockstep::data

#endif  // LOCKSTEP_ENGINE_DATA_LINE_READER_H_
