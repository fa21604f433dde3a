// Characters of UTF-8 text.
#ifndef LOCKSTEP_ENGINE_DATA_UTF8_H_
#define LOCKSTEP_ENGINE_DATA_UTF8_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace lockstep::data {

// Bytes of the character that `text` begins with, 1 to 4; 0 where it begins
// with none (empty, cut short, overlong, a surrogate, beyond U+10FFFF).
// Source: Unicode 15, table 3-7.
size_t Utf8Length(absl::string_view text);

// The code point of the character that `text` begins with.
// Requires: Utf8Length(text) > 0.
uint32_t Utf8CodePoint(absl::string_view text);

// Appends the character. Requires: a code point, no surrogate.
void AppendUtf8(uint32_t code_point, std::string* text);

}  // namespace lockstep::data

#endif  // LOCKSTEP_ENGINE_DATA_UTF8_H_
