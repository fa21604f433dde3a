// Which of some names a mistyped one was meant to be.
#ifndef LOCKSTEP_ENGINE_DATA_NEAREST_NAME_H_
#define LOCKSTEP_ENGINE_DATA_NEAREST_NAME_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace lockstep::data {

// The name with the least edit distance to `name` (single bytes inserted,
// removed or replaced), the first of several; empty where there are no names.
std::string NearestName(absl::string_view name, const std::vector<std::string>& names);

}  // namespace lockstep::data

#endif  // LOCKSTEP_ENGINE_DATA_NEAREST_NAME_H_
