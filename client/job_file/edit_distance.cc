#include "client/job_file/edit_distance.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace lockstep::client {
namespace {

// Longer ones are no misspelling of ours, and would only cost time.
constexpr size_t kMaxWordLength = 64;

}  // namespace

int EditDistance(absl::string_view a, absl::string_view b) {
  // Rows i-2, i-1 and i of the table distance(a[0, i), b[0, j)).
  std::vector<int> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    std::swap(before_last, last);
    std::swap(last, row);
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

std::string NearestWord(absl::string_view misspelt, const std::vector<std::string>& words) {
  if (misspelt.size() > kMaxWordLength) return "";
  const std::string wanted = absl::AsciiStrToLower(misspelt);
  std::string nearest;
  int least = 0;
  for (const std::string& word : words) {
    const int distance = EditDistance(wanted, word);
    const int most = std::max<int>(1, static_cast<int>(word.size()) / 3);
    if (distance <= most && (nearest.empty() || distance < least)) {
      nearest = word;
      least = distance;
    }
  }
  return nearest;
}

}  // namespace lockstep::client
