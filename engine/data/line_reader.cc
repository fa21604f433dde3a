#include "engine/data/line_reader.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace lockstep::data {

absl::Status LineReader::Refill() {
  buffer_.erase(0, begin_);
  begin_ = 0;
  if (buffer_.size() > most_line_bytes_) {
    return absl::InvalidArgumentError(absl::StrCat(path_, ":", line_number_ + 1,
                                                   ":1: line, got more than ", most_line_bytes_,
                                                   " bytes without an end, want fewer"));
  }
  const size_t kept = buffer_.size();
  buffer_.resize(kept + kFileBlockBytes);
  absl::StatusOr<size_t> count = file_->Read(&buffer_[kept], kFileBlockBytes);
  if (!count.ok()) return count.status();
  buffer_.resize(kept + *count);
  file_ended_ = *count < kFileBlockBytes;
  return absl::OkStatus();
}

absl::StatusOr<bool> LineReader::Next(absl::string_view* line) {
  size_t searched = begin_;
  size_t end = buffer_.find('\n', searched);
  while (end == std::string::npos && !file_ended_) {
    searched = buffer_.size() - begin_;  // where the unsearched part stands after Refill
    absl::Status status = Refill();
    if (!status.ok()) return status;
    end = buffer_.find('\n', searched);
  }
  if (end == std::string::npos) end = buffer_.size();
  if (end == begin_ && end == buffer_.size()) return false;
  *line = absl::string_view(buffer_).substr(begin_, end - begin_);
  if (absl::EndsWith(*line, "\r")) line->remove_suffix(1);
  begin_ = end < buffer_.size() ? end + 1 : end;
  ++line_number_;
  return true;
}

}  // namespace lockstep::data
