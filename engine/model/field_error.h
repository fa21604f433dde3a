// Errors about one field of a job: the status carries the field's path in a
// form for programs, so that the client can tell its line and column.
#ifndef LOCKSTEP_ENGINE_MODEL_FIELD_ERROR_H_
#define LOCKSTEP_ENGINE_MODEL_FIELD_ERROR_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace lockstep {

// "<path>: <message>". `path` as "model[2].linear.out_features", with the names
// of job.proto. `code`: FailedPrecondition where another program or machine may
// find nothing wrong.
absl::Status FieldError(absl::string_view path, absl::string_view message,
                        absl::StatusCode code = absl::StatusCode::kInvalidArgument);

// The path of a FieldError; empty for any other status.
std::string FieldPathOf(const absl::Status& status);
// The message without the path; the whole message for any other status.
std::string FieldMessageOf(const absl::Status& status);

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_MODEL_FIELD_ERROR_H_
