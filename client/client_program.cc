// The only file of the client that reads environment variables.
#include "client/client_program.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <system_error>
#include <utility>
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

Environment ProcessEnvironment(LayerRegistry layers) {
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
  environment.load_job_file = [layers = std::move(layers)](const std::string& path) {
    return LoadJobFile(path, layers);
  };
  environment.hash_model = HashModelFile;
  return environment;
}

}  // namespace

int RunClientProgram(int argc, char** argv, LayerRegistry layers) {
  OpenStandardStreams();
  KeepGrpcRunning();
  if (std::getenv("GRPC_VERBOSITY") == nullptr) SilenceGrpcLog();
  const int exit_code = RunClient(std::vector<std::string>(argv + 1, argv + argc),
                                  ProcessEnvironment(std::move(layers)));
  std::cout.flush();
  ExitWithGrpcRunning(exit_code);
}

}  // namespace lockstep::client
