#include "engine/data/nearest_name.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace lockstep::data {
namespace {

// Levenshtein's distance, row by row: after row i, distances[j] is that of a's
// first i bytes and b's first j.
size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> distances(b.size() + 1);
  std::iota(distances.begin(), distances.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = distances[0];
    distances[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = distances[j];
      distances[j] = std::min({replaced, distances[j] + 1, distances[j - 1] + 1});
    }
  }
  return distances[b.size()];
}

}  // namespace

std::string NearestName(absl::string_view name, const std::vector<std::string>& names) {
  const auto nearest = std::min_element(names.begin(), names.end(),
                                        [name](const std::string& a, const std::string& b) {
                                          return EditDistance(name, a) < EditDistance(name, b);
                                        });
  return nearest == names.end() ? std::string() : *nearest;
}

}  // namespace lockstep::data
