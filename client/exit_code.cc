#include "client/exit_code.h"

namespace lockstep::client {

ExitCode ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kExitOk;
    case absl::StatusCode::kInvalidArgument:
      return kExitUsage;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return kExitUnreachable;
    case absl::StatusCode::kNotFound:
      return kExitNotFound;
    case absl::StatusCode::kFailedPrecondition:
      return kExitNotNow;
    case absl::StatusCode::kDataLoss:
      return kExitDamaged;
    case absl::StatusCode::kCancelled:
      return kExitInterrupted;
    default:
      return kExitFailed;
  }
}

std::string ExitCodesHelp() {
  return "  0    success\n"
         "  1    the job failed or was cancelled, or the server or this machine had an error\n"
         "  2    wrong arguments, or the job file is not valid\n"
         "  3    the server cannot be reached\n"
         "  4    no such job or file\n"
         "  5    not possible in the job's present state\n"
         "  6    a checksum did not hold\n"
         "  7    the two jobs are not equal (diff)\n"
         "  130  interrupted (Ctrl-C)\n";
}

}  // namespace lockstep::client
