// "Did you mean": the known word nearest to a misspelt one.
#ifndef LOCKSTEP_CLIENT_JOB_FILE_EDIT_DISTANCE_H_
#define LOCKSTEP_CLIENT_JOB_FILE_EDIT_DISTANCE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace lockstep::client {

// The fewest single-byte insertions, deletions, replacements and swaps of two
// neighbours that turn `a` into `b` (no byte is edited twice).
// Source: optimal string alignment distance (Damerau 1964, Levenshtein 1966).
int EditDistance(absl::string_view a, absl::string_view b);

// The word nearest to `misspelt`, the first of equals; empty where none is
// near enough to be meant (more than a third of the word would change).
std::string NearestWord(absl::string_view misspelt, const std::vector<std::string>& words);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_JOB_FILE_EDIT_DISTANCE_H_
