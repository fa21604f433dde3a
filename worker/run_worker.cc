#include "worker/run_worker.h"

#include <limits.h>
#include <omp.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>

#include "engine/kernels/instruction_set.h"
#include "engine/lock_order_checks.h"
#include "engine/standard_streams.h"
#include "engine/storage.h"
#include "proto/codec/grpc_lifetime.h"
#include "worker/worker.h"

namespace lockstep::worker {
namespace {

constexpr int kExitUsage = 2;
constexpr int kExitFailure = 1;

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "lockstep-worker: %s\n", std::string(status.message()).c_str());
  return absl::IsInvalidArgument(status) ? kExitUsage : kExitFailure;
}

// The first of SIGINT and SIGTERM ends the worker after its shard, the second at
// once. SIGUSR1 breaks its connection.
void StopOnSignals(const sigset_t& signals, Worker* worker) {
  int signal_number = 0;
  for (int stops = 0; stops < 2;) {
    sigwait(&signals, &signal_number);
    if (signal_number == SIGUSR1) {
      worker->DropConnection();
    } else if (++stops == 1) {
      worker->Stop();
    }
  }
  _exit(kExitFailure);
}

// How long OpenMP's threads spin at a barrier before they sleep: some 0.1 ms. The
// library's default (hundreds of thousands of turns) takes the cores from the server
// and the network's threads, and with more threads than free cores makes a step
// hundreds of times slower. 10,000 turns still made whole runs of a small model 1.5
// times as long on a machine whose cores the server shares: two threads on one core
// spin in turn. None at all makes each kernel wait for a wake-up.
constexpr char kSpinTurns[] = "3000";

// libgomp reads its settings before main: start again with them, unless the
// user has chosen.
void SetSpinning(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  setenv("GOMP_SPINCOUNT", kSpinTurns, 1);
  // By its own path: started as /proc/self/exe, `ps` would call it "exe".
  char path[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
  if (length <= 0) return;
  path[length] = '\0';
  execv(path, argv);
  // Without /proc: go on as it is; only speed is at stake.
}

std::string DefaultName() {
  char host[64] = {};
  if (gethostname(host, sizeof(host) - 1) != 0) return "worker-" + std::to_string(getpid());
  return std::string(host).substr(0, 50) + "-" + std::to_string(getpid());
}

}  // namespace

int RunWorker(int argc, char** argv, LayerRegistry layers) {
  OpenStandardStreams();
  WorkerOptions options;
  options.layers = std::move(layers);
  options.name = DefaultName();
  options.threads = omp_get_num_procs();
  std::string instruction_set = "best";
  CLI::App app{
      "A worker of Lockstep: computes the shards that a parameter server hands it.\n"
      "SIGINT or SIGTERM: it finishes its shard and leaves; a second one: at once.\n"
      "SIGUSR1: it drops its connection and makes a new one (for tests of failure).\n"
      "Exit codes: 0 stopped by SIGINT or SIGTERM, 1 failure, 2 wrong flags."};
  app.name("lockstep-worker");
  app.add_option("--server", options.server, "HOST:PORT or unix:/path of the server")
      ->envname("LOCKSTEP_SERVER")
      ->required();
  app.add_option("--threads", options.threads, "OpenMP threads; changes no bit")
      ->capture_default_str();
  app.add_option("--name", options.name, "name for people; made unique by the server")
      ->capture_default_str();
  std::string shared_memory = "auto";
  app.add_option("--shared-memory", shared_memory,
                 "auto: use memory that a server on this machine maps too, where it can be "
                 "reached; off: never; changes no bit")
      ->check(CLI::IsMember({"auto", "off"}))
      ->capture_default_str();
  app.add_option("--instruction-set", instruction_set,
                 "use no better one: best, avx512, avx2, sve2, sve, neon; changes no bit")
      ->capture_default_str();
  app.add_option("--corrupt-shard", options.faults.corrupt_shard,
                 "for tests of failure: the part of its shards, 0 to 1, that it answers wrongly")
      ->capture_default_str();
  app.add_option("--corrupt-seed", options.faults.corrupt_seed, "which ones")
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help
    return Fail(
        absl::InvalidArgumentError(std::string(error.what()) + " (--help lists the flags)"));
  }
  if (auto status = options.Validate(); !status.ok()) return Fail(status);
  if (auto status = kernels::LimitInstructionSet(instruction_set); !status.ok()) {
    return Fail(absl::Status(status.code(), "--instruction-set: " + std::string(status.message())));
  }
  // One thread meets nobody at a barrier, and is at work sooner: to start again is
  // half of what a start costs, most of it the loader's.
  if (options.threads > 1) SetSpinning(argv);
  options.shared_memory = shared_memory == "auto";
  KeepFreedMemory();
  SkipLockOrderChecks();
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGUSR1);
  // Before any thread starts, so that all threads inherit the mask.
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  KeepGrpcRunning();
  if (std::getenv("GRPC_VERBOSITY") == nullptr) SilenceGrpcLog();
  Worker worker(options);
  std::thread(StopOnSignals, signals, &worker).detach();
  const absl::Status status = worker.Run();
  if (!status.ok()) {
    // Refused by the server: not a matter of flags, whatever the code.
    (void)Fail(status);
    ExitWithGrpcRunning(kExitFailure);
  }
  ExitWithGrpcRunning(0);
}

}  // namespace lockstep::worker
