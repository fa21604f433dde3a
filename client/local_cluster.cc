#include "client/local_cluster.h"

#include <algorithm>
#include <string>
#include <thread>
#include <tuple>

#include "client/find_executable.h"

namespace lockstep::client {

absl::StatusOr<EmbeddedClusterOptions> LocalClusterOptions(const Environment& environment,
                                                           int workers, int threads) {
  EmbeddedClusterOptions cluster;
  for (const auto& [name, sibling, program] :
       {std::tuple{"lockstep-server", "server", &cluster.server_program},
        std::tuple{"lockstep-worker", "worker", &cluster.worker_program}}) {
    absl::StatusOr<std::string> found =
        FindExecutable(name, sibling, environment.executable_folder, environment.search_path);
    // Not "no such job or file": the installation is incomplete.
    if (!found.ok()) return absl::InternalError(found.status().message());
    *program = *std::move(found);
  }
  cluster.temporary_folder = environment.temporary_folder;
  cluster.workers = workers;
  const int processors = static_cast<int>(std::thread::hardware_concurrency());
  cluster.threads = threads > 0 ? threads : std::max(1, processors / workers);
  return cluster;
}

}  // namespace lockstep::client
