// What a worker may be called (Register.name): checked by the worker on its
// flags and by the server on what peers send.
#ifndef LOCKSTEP_PROTO_CODEC_WORKER_NAME_H_
#define LOCKSTEP_PROTO_CODEC_WORKER_NAME_H_

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace lockstep {

// InvalidArgument: `what` (a flag or a field), what was got, what is wanted.
inline absl::Status CheckWorkerName(absl::string_view what, absl::string_view name) {
  const auto is_allowed = [](char c) {
    return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
  };
  if (!name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), is_allowed)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(what, ": got '",
                                                 absl::CHexEscape(name.substr(0, 80)),
                                                 "', want 1 to 64 characters of [A-Za-z0-9._-]"));
}

}  // namespace lockstep

#endif  // LOCKSTEP_PROTO_CODEC_WORKER_NAME_H_
