// Patterns for names: `*` stands for any run of characters, also none, `?` for
// one, every other character for itself.
#ifndef LOCKSTEP_ENGINE_MODEL_NAME_PATTERN_H_
#define LOCKSTEP_ENGINE_MODEL_NAME_PATTERN_H_

#include "absl/strings/string_view.h"

namespace lockstep {

// Whether the pattern matches the whole name. Takes at most about
// pattern.size() * name.size() comparisons.
bool MatchesPattern(absl::string_view pattern, absl::string_view name);

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_MODEL_NAME_PATTERN_H_
