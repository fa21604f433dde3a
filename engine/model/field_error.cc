#include "engine/model/field_error.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

namespace lockstep {
namespace {

constexpr char kFieldPathPayload[] = "lockstep.v1.JobSpec/field_path";

}  // namespace

absl::Status FieldError(absl::string_view path, absl::string_view message, absl::StatusCode code) {
  absl::Status status(code, absl::StrCat(path, ": ", message));
  status.SetPayload(kFieldPathPayload, absl::Cord(path));
  return status;
}

std::string FieldPathOf(const absl::Status& status) {
  return std::string(status.GetPayload(kFieldPathPayload).value_or(absl::Cord()));
}

std::string FieldMessageOf(const absl::Status& status) {
  const std::string path = FieldPathOf(status);
  const size_t start = path.empty() ? 0 : path.size() + 2;  // ": "
  return std::string(status.message().substr(start));
}

}  // namespace lockstep
