// The `lockstep` program without its process.
#ifndef LOCKSTEP_CLIENT_RUN_CLIENT_H_
#define LOCKSTEP_CLIENT_RUN_CLIENT_H_

#include <string>
#include <vector>

#include "client/environment.h"

namespace lockstep::client {

// Runs the command that `arguments` (without the program's name) ask for and
// returns the exit code (exit_code.h). Errors are one line on `err`.
// Threads: one call at a time, and for `train` from the main thread.
int RunClient(const std::vector<std::string>& arguments, const Environment& environment);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_RUN_CLIENT_H_
