// Fields of a job set on the command line: `--set optimizer.adam.learning_rate=0.01`.
#ifndef LOCKSTEP_CLIENT_JOB_FILE_JOB_OVERRIDES_H_
#define LOCKSTEP_CLIENT_JOB_FILE_JOB_OVERRIDES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "lockstep/v1/job.pb.h"

namespace lockstep::client {

// Sets fields of a complete specification. Each setting is FIELD=VALUE: the
// field's path as docs/job_file.md has it, and a value in YAML. A map's other
// fields stay as they are; a list is replaced; setting one of `epochs` and
// `steps` unsets the other. Errors: InvalidArgument, one line: no such field, no
// such value, a job that is then not valid; `data` and `init_from`, which are
// files and so belong in a job file. `spec` is then unchanged.
absl::Status ApplyOverrides(const std::vector<std::string>& settings, v1::JobSpec* spec);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_JOB_FILE_JOB_OVERRIDES_H_
