// Whether bytes are UTF-8.
#ifndef LOCKSTEP_CLIENT_JOB_FILE_UTF8_H_
#define LOCKSTEP_CLIENT_JOB_FILE_UTF8_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace lockstep::client {

// Bytes of the character that `text` begins with, 1 to 4; 0 where it begins
// with none (empty, cut short, overlong, a surrogate, beyond U+10FFFF).
// Source: Unicode 15, table 3-7.
size_t Utf8Length(absl::string_view text);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_JOB_FILE_UTF8_H_
