#include "tests/testing/run_lockstep.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gtest/gtest.h"
#include "tests/testing/wait.h"

namespace lockstep::tests {

std::ostream& operator<<(std::ostream& stream, const CommandResult& result) {
  return stream << "\n$ " << result.command << "\nexit code " << result.exit_code << "\n---- out\n"
                << result.out << "---- err\n"
                << result.err;
}

std::unique_ptr<Process> StartLockstep(const LoggedFolder& folder, const std::string& name,
                                       const std::vector<std::string>& arguments,
                                       const std::vector<std::string>& environment) {
  ProcessOptions options;
  options.command = {Runfile("client/lockstep")};
  options.command.insert(options.command.end(), arguments.begin(), arguments.end());
  options.environment = environment;
  options.working_folder = folder.path();
  return std::make_unique<Process>(folder, name, options);
}

CommandResult RunLockstep(const LoggedFolder& folder, const std::vector<std::string>& arguments,
                          const std::vector<std::string>& environment) {
  CommandResult result;
  result.command = absl::StrCat("lockstep ", absl::StrJoin(arguments, " "));
  std::unique_ptr<Process> process = StartLockstep(folder, "command", arguments, environment);
  const bool ended = process->WaitForEnd(kPatience);
  if (!ended) process->Kill();
  result.exit_code = ended ? process->exit_code() : -1;
  result.out = process->out();
  result.err = process->err();
  return result;
}

std::string LineAfter(const std::string& label, const std::string& text) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (absl::ConsumePrefix(&line, label)) return std::string(line);
  }
  return "";
}

std::string TrainedHash(const LoggedFolder& folder, const std::string& job_file,
                        const std::string& name, const std::vector<std::string>& options) {
  std::vector<std::string> arguments = {"train", job_file, "--output", folder.PathOf(name)};
  arguments.insert(arguments.end(), options.begin(), options.end());
  const CommandResult result = RunLockstep(folder, arguments);
  EXPECT_EQ(result.exit_code, 0) << result;
  const std::string hash = LineAfter("model sha256: ", result.out);
  EXPECT_EQ(hash.size(), 64u) << result;
  return hash;
}

}  // namespace lockstep::tests
