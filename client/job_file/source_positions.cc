#include "client/job_file/source_positions.h"

#include <utility>

namespace lockstep::client {

absl::string_view EnclosingPath(absl::string_view path) {
  const size_t cut = path.find_last_of(".[");
  return cut == absl::string_view::npos ? absl::string_view() : path.substr(0, cut);
}

void SourcePositions::Add(std::string path, SourcePosition position) {
  positions_.emplace(std::move(path), position);
}

bool SourcePositions::Has(absl::string_view path) const {
  return positions_.find(std::string(path)) != positions_.end();
}

SourcePosition SourcePositions::Nearest(absl::string_view path) const {
  while (true) {
    const auto found = positions_.find(std::string(path));
    if (found != positions_.end()) return found->second;
    if (path.empty()) return {};
    path = EnclosingPath(path);
  }
}

}  // namespace lockstep::client
