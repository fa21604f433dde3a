// The bytes of a job file, before anyone takes them for YAML.
#ifndef LOCKSTEP_CLIENT_JOB_FILE_JOB_FILE_TEXT_H_
#define LOCKSTEP_CLIENT_JOB_FILE_JOB_FILE_TEXT_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/job_file/job_file_problem.h"

namespace lockstep::client {

// 1 MiB: a thousand times what a long job file needs, and parsed in a moment.
constexpr size_t kMaxJobFileBytes = size_t{1} << 20;

// The file's bytes. Errors, each one line without the path: NotFound (no such
// file), InvalidArgument (a folder or a device, or too long), PermissionDenied,
// Unavailable (reading failed).
absl::StatusOr<std::string> ReadJobFileText(const std::string& path);

// The first byte that no text file has (NUL and other control characters,
// broken UTF-8, another encoding's byte order mark), as a problem.
std::optional<JobFileProblem> CheckJobFileText(absl::string_view text);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_JOB_FILE_JOB_FILE_TEXT_H_
