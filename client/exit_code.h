// What the `lockstep` program returns to the shell; docs/exit_codes.md.
#ifndef LOCKSTEP_CLIENT_EXIT_CODE_H_
#define LOCKSTEP_CLIENT_EXIT_CODE_H_

#include <string>

#include "absl/status/status.h"

namespace lockstep::client {

enum ExitCode : int {
  kExitOk = 0,
  // The job failed or was cancelled, the server reported an error of its own,
  // or this machine did (a full disk, a child process that would not start).
  kExitFailed = 1,
  // Wrong arguments, or a job file that is not valid: nothing was started.
  kExitUsage = 2,
  // The server could not be reached or did not answer in time.
  kExitUnreachable = 3,
  // No such job, or no such file.
  kExitNotFound = 4,
  // Not possible in the job's present state.
  kExitNotNow = 5,
  // A checksum did not hold: the data is damaged.
  kExitDamaged = 6,
  // `diff`: the two jobs are not equal.
  kExitDifferent = 7,
  // SIGINT, SIGTERM or SIGHUP.
  kExitInterrupted = 130,
};

// The code that stands for `status` (kExitOk for OK).
ExitCode ExitCodeOf(const absl::Status& status);

// One line per code, for `lockstep --help`.
std::string ExitCodesHelp();

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_EXIT_CODE_H_
