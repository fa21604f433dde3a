// Where the other programs of Lockstep are.
#ifndef LOCKSTEP_CLIENT_FIND_EXECUTABLE_H_
#define LOCKSTEP_CLIENT_FIND_EXECUTABLE_H_

#include <string>

#include "absl/status/statusor.h"

namespace lockstep::client {

// The path of `name` ("lockstep-server"): beside `executable_folder`'s own
// program (an installation), in ../`sibling` (Bazel's output), then in the
// folders of `search_path`. Errors: NotFound, naming the first two places.
absl::StatusOr<std::string> FindExecutable(const std::string& name, const std::string& sibling,
                                           const std::string& executable_folder,
                                           const std::string& search_path);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_FIND_EXECUTABLE_H_
