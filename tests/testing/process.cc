#include "tests/testing/process.h"

#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "engine/check.h"
#include "engine/data/testing/test_files.h"

namespace lockstep::tests {
namespace {

// The shell and env(1) replace themselves, so that the process is the program's.
constexpr char kScript[] =
    "out=$1; err=$2; cd \"$3\" || exit 127; shift 3; exec env \"$@\" >\"$out\" 2>\"$err\"";

}  // namespace

std::string Runfile(const std::string& path) {
  const char* runfiles = std::getenv("TEST_SRCDIR");
  // Without `bazel test`: beside the test's own program.
  const std::string root =
      runfiles != nullptr ? std::string(runfiles)
                          : std::filesystem::read_symlink("/proc/self/exe").string() + ".runfiles";
  std::string full = root + "/lockstep/" + path;
  LOCKSTEP_CHECK(std::filesystem::exists(full), full + ": not in the test's data");
  return full;
}

Process::Process(const LoggedFolder& folder, const std::string& name, const ProcessOptions& options)
    : out_path_(folder.PathOf(name + ".out")), err_path_(folder.PathOf(name + ".err")) {
  client::ChildProcessOptions child;
  child.command = {"/bin/sh",
                   "-c",
                   kScript,
                   "sh",
                   out_path_,
                   err_path_,
                   options.working_folder.empty() ? "." : options.working_folder,
                   "-u",
                   "LOCKSTEP_SERVER"};
  child.command.insert(child.command.end(), options.environment.begin(), options.environment.end());
  child.command.insert(child.command.end(), options.command.begin(), options.command.end());
  child.log_path = err_path_;
  auto started = client::ChildProcess::Start(child);
  LOCKSTEP_CHECK(started.ok(), std::string(started.status().message()));
  child_ = *std::move(started);
}

void Process::Signal(int signal_number) {
  if (!HasEnded()) kill(pid(), signal_number);
}

std::string Process::out() const {
  return std::filesystem::exists(out_path_) ? data::ReadTestFile(out_path_) : "";
}

std::string Process::err() const {
  return std::filesystem::exists(err_path_) ? data::ReadTestFile(err_path_) : "";
}

}  // namespace lockstep::tests
