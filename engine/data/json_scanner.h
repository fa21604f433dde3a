// Reads JSON text from left to right, strictly, for readers that know what must
// come next. It has strings and unsigned whole numbers alone: no tree, no
// floating point, no recursion.
#ifndef LOCKSTEP_ENGINE_DATA_JSON_SCANNER_H_
#define LOCKSTEP_ENGINE_DATA_JSON_SCANNER_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lockstep::data {

// `text` as a JSON string with its quotes. Requires: UTF-8.
std::string JsonString(absl::string_view text);

// Errors of all: InvalidArgument, `source: header byte 12: what, got X, want Y`.
// Threads: one thread at a time.
class JsonScanner {
 public:
  // Requires: both outlive the scanner.
  JsonScanner(absl::string_view json, absl::string_view source) : json_(json), source_(source) {}

  // Takes `symbol`, one of {}[]:, behind any white space.
  absl::Status Expect(char symbol);
  // Takes `symbol` if it is the next. False: something else is.
  bool Take(char symbol);
  // A string; its escapes undone, checked to be UTF-8.
  absl::StatusOr<std::string> String();
  // A whole number from 0 to 2^64 - 1, without sign, fraction or exponent.
  absl::StatusOr<uint64_t> Number();
  // That nothing but white space is left.
  absl::Status End();

  // An error at the present place: "what, got <what stands there>, want <want>".
  absl::Status Error(absl::string_view what, absl::string_view want) const;

 private:
  void SkipSpaces();
  // Undoes the escape whose backslash has just been taken.
  absl::Status Escape(std::string* out);
  // The value of the four hexadecimal digits of a \u escape.
  absl::StatusOr<uint32_t> CodeUnit();

  const absl::string_view json_;
  const absl::string_view source_;
  size_t position_ = 0;
};

}  // namespace lockstep::data

#endif  // LOCKSTEP_ENGINE_DATA_JSON_SCANNER_H_
