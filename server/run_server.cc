#include "server/run_server.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>

#include "absl/time/time.h"
#include "engine/kernels/instruction_set.h"
#include "engine/lock_order_checks.h"
#include "engine/standard_streams.h"
#include "engine/storage.h"
#include "proto/codec/grpc_lifetime.h"
#include "server/parameter_server.h"

namespace lockstep::server {
namespace {

constexpr int kExitUsage = 2;
constexpr int kExitFailure = 1;

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "lockstep-server: %s\n", std::string(status.message()).c_str());
  return absl::IsInvalidArgument(status) ? kExitUsage : kExitFailure;
}

// SIGINT and SIGTERM, taken by whoever waits for them and by no handler.
sigset_t TakeSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signals;
}

}  // namespace

int RunServer(int argc, char** argv, LayerRegistry layers) {
  OpenStandardStreams();
  ParameterServer::Options options;
  options.layers = std::move(layers);
  std::string lease = "3s";
  std::string instruction_set = "best";
  CLI::App app{
      "Lockstep's parameter server: keeps jobs, sums gradients, applies optimizer steps.\n"
      "Exit codes: 0 stopped by SIGINT or SIGTERM, 1 failure, 2 wrong flags."};
  app.name("lockstep-server");
  app.add_option("--listen", options.listen,
                 "HOST:PORT (port 0: any free one) or unix:/path to listen on")
      ->capture_default_str();
  app.add_option("--state-dir", options.state_dir,
                 "folder for jobs and checkpoints, created where missing")
      ->required();
  app.add_option("--lease", lease,
                 "give up a worker not heard from for this long; longer where steps are long")
      ->capture_default_str();
  std::string shared_memory = "auto";
  app.add_option("--shared-memory", shared_memory,
                 "auto: workers on this machine use memory that both map, where they can reach it; "
                 "off: never; changes no bit")
      ->check(CLI::IsMember({"auto", "off"}))
      ->capture_default_str();
  app.add_option("--instruction-set", instruction_set,
                 "use no better one: best, avx512, avx2, sve2, sve, neon; changes no bit")
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help
    return Fail(
        absl::InvalidArgumentError(std::string(error.what()) + " (--help lists the flags)"));
  }
  if (!absl::ParseDuration(lease, &options.lease)) {
    return Fail(absl::InvalidArgumentError("--lease: got '" + lease + "', want e.g. 5s or 500ms"));
  }
  if (auto status = kernels::LimitInstructionSet(instruction_set); !status.ok()) {
    return Fail(absl::Status(status.code(), "--instruction-set: " + std::string(status.message())));
  }
  options.shared_memory = shared_memory == "auto";
  KeepFreedMemory();
  SkipLockOrderChecks();
  // Before any thread starts, so that all threads inherit the mask.
  const sigset_t signals = TakeSignals();
  KeepGrpcRunning();
  if (std::getenv("GRPC_VERBOSITY") == nullptr) SilenceGrpcLog();
  auto server = lockstep::server::ParameterServer::Start(options);
  if (!server.ok()) return Fail(server.status());
  std::printf("listening on %s\n", (*server)->address().c_str());
  std::fflush(stdout);

  int signal_number = 0;
  sigwait(&signals, &signal_number);
  std::fprintf(stderr,
               "lockstep-server: stopping after the present steps; again to stop at once\n");
  std::thread([signals] {
    int again = 0;
    sigwait(&signals, &again);
    _exit(kExitFailure);
  }).detach();
  (*server)->Shutdown();
  server->reset();
  ExitWithGrpcRunning(0);
}

}  // namespace lockstep::server
