// The JSON header of a safetensors file, read strictly: exactly the grammar
// that safetensors.h shows, nothing skipped. A reader of our own, because
// protobuf's Struct keeps numbers as doubles (offsets beyond 2^53 change) and
// lets a repeated key replace the one before without a word.
#ifndef LOCKSTEP_ENGINE_DATA_SAFETENSORS_HEADER_H_
#define LOCKSTEP_ENGINE_DATA_SAFETENSORS_HEADER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lockstep::data {

struct SafetensorsEntry {
  std::string dtype;  // as written
  std::vector<int64_t> extents;
  uint64_t begin = 0;  // bytes from the start of the data
  uint64_t end = 0;
};

struct ParsedSafetensorsHeader {
  std::map<std::string, SafetensorsEntry> tensors;
  std::map<std::string, std::string> metadata;
};

// Reads the header's JSON text. Checks the grammar, names that come twice, and
// that text is UTF-8; not whether the offsets make sense.
// Errors: InvalidArgument: `source: header byte 12: what, got X, want Y`.
absl::StatusOr<ParsedSafetensorsHeader> ParseSafetensorsHeader(absl::string_view json,
                                                               absl::string_view source);

}  // namespace lockstep::data

#endif  // LOCKSTEP_ENGINE_DATA_SAFETENSORS_HEADER_H_
