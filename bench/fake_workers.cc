// Many workers of one process that compute next to nothing, each on a connection
// of its own: what a server with a large cluster has to do, on one machine.
//
//   fake_workers --server HOST:PORT --count 1000
//
// Gradients come from a formula (server/testing/fake_worker.h): the model is of no
// use. Ends with the server's connections.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "engine/lock_order_checks.h"
#include "server/testing/remote_fake_workers.h"

int main(int argc, char** argv) {
  std::string server, ignored;
  int count = 1000;
  CLI::App app{"Many workers of Lockstep that compute next to nothing."};
  app.add_option("--server", server, "HOST:PORT")->required();
  app.add_option("--count", count, "how many")->check(CLI::Range(1, 100000))->capture_default_str();
  for (const char* flag : {"--name", "--threads", "--shared-memory"}) {
    app.add_option(flag, ignored, "as lockstep-worker's; not used");
  }
  CLI11_PARSE(app, argc, argv);
  lockstep::SkipLockOrderChecks();
  lockstep::server::RemoteFakeWorkers workers(server, count);
  workers.AwaitWelcome();
  std::fprintf(stderr, "fake_workers: %d of %d connected %s\n", workers.connected(), count,
               workers.trouble().c_str());
  workers.AwaitEnd();
  std::fprintf(stderr, "fake_workers: %s\n", workers.trouble().c_str());
}
