// Reading a job file on behalf of a command.
#ifndef LOCKSTEP_CLIENT_LOAD_OR_EXPLAIN_H_
#define LOCKSTEP_CLIENT_LOAD_OR_EXPLAIN_H_

#include <optional>
#include <string>

#include "client/environment.h"
#include "lockstep/v1/job.pb.h"

namespace lockstep::client {

// The complete spec of the job file at `path`. Nothing: it is not valid; all
// problems stand on `err`, one a line, and the command returns kExitUsage.
std::optional<v1::JobSpec> LoadOrExplain(const Environment& environment, const std::string& path);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_LOAD_OR_EXPLAIN_H_
