// The `lockstep` program: fills the environment from the process and runs the
// command. The only file here that reads environment variables.
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <system_error>
#include <vector>

#include "client/hash_model_file.h"
#include "client/run_client.h"
#include "engine/standard_streams.h"
#include "proto/codec/grpc_lifetime.h"

namespace lockstep::client {
namespace {

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

int TerminalWidth() {
  struct winsize size = {};
  const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

Environment ProcessEnvironment() {
  Environment environment;
  environment.out = &std::cout;
  environment.err = &std::cerr;
  environment.out_is_terminal = isatty(STDOUT_FILENO) == 1 && Variable("TERM") != "dumb";
  environment.terminal_width = TerminalWidth;
  environment.default_server = Variable("LOCKSTEP_SERVER");
  std::error_code error;
  const std::filesystem::path executable = std::filesystem::read_symlink("/proc/self/exe", error);
  environment.executable_folder = executable.parent_path().string();
  environment.search_path = Variable("PATH");
  if (const std::string folder = Variable("TMPDIR"); !folder.empty()) {
    environment.temporary_folder = folder;
  }
  environment.load_job_file = LoadJobFile;
  environment.hash_model = HashModelFile;
  return environment;
}

}  // namespace
}  // namespace lockstep::client

int main(int argc, char** argv) {
  lockstep::OpenStandardStreams();
  lockstep::KeepGrpcRunning();
  if (std::getenv("GRPC_VERBOSITY") == nullptr) lockstep::SilenceGrpcLog();
  const int exit_code = lockstep::client::RunClient(std::vector<std::string>(argv + 1, argv + argc),
                                                    lockstep::client::ProcessEnvironment());
  std::cout.flush();
  lockstep::ExitWithGrpcRunning(exit_code);
}
