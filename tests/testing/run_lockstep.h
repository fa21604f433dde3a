// The user's program, `lockstep`, called as a user calls it.
#ifndef LOCKSTEP_TESTS_TESTING_RUN_LOCKSTEP_H_
#define LOCKSTEP_TESTS_TESTING_RUN_LOCKSTEP_H_

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "tests/testing/logged_folder.h"
#include "tests/testing/process.h"

namespace lockstep::tests {

struct CommandResult {
  std::string command;  // for messages
  int exit_code = -1;   // -1: it did not end in time and was killed
  std::string out;
  std::string err;
};

// All of it: `EXPECT_EQ(result.exit_code, 0) << result`.
std::ostream& operator<<(std::ostream& stream, const CommandResult& result);

// Runs `lockstep ARGUMENTS` to its end, in the working folder `folder`.
// `environment`: as ProcessOptions.
CommandResult RunLockstep(const LoggedFolder& folder, const std::vector<std::string>& arguments,
                          const std::vector<std::string>& environment = {});

// Starts it and returns; its output is in NAME.out and NAME.err.
std::unique_ptr<Process> StartLockstep(const LoggedFolder& folder, const std::string& name,
                                       const std::vector<std::string>& arguments,
                                       const std::vector<std::string>& environment = {});

// The rest of the line of `text` that begins with `label` ("model sha256: ");
// empty: there is none.
std::string LineAfter(const std::string& label, const std::string& text);

// Runs `lockstep train` with --output NAME below `folder` and returns the
// model's hash; the test fails where the command does.
std::string TrainedHash(const LoggedFolder& folder, const std::string& job_file,
                        const std::string& name, const std::vector<std::string>& options);

}  // namespace lockstep::tests

#endif  // LOCKSTEP_TESTS_TESTING_RUN_LOCKSTEP_H_
