// Carries out a chaos plan on the embedded cluster of `lockstep train`, and counts
// what it did. It is also the operator who starts a quarantined worker's machine again.
#ifndef LOCKSTEP_CLIENT_CHAOS_H_
#define LOCKSTEP_CLIENT_CHAOS_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/chaos_plan.h"
#include "client/embedded_cluster.h"
#include "lockstep/v1/job_service.pb.h"

namespace lockstep::client {

// Threads: the main thread, as EmbeddedCluster.
class Chaos {
 public:
  Chaos(const ChaosPlan& plan, uint64_t seed, absl::Time began)
      : schedule_(plan, seed), began_(began) {}

  // Does what is due, and adds a line for each to `notes`. Call it often. Errors:
  // a server that does not start again.
  absl::Status Act(absl::Time now, EmbeddedCluster* cluster, std::vector<std::string>* notes);
  // Starts the processes of quarantined workers again.
  void SeeToQuarantined(const v1::ListWorkersResponse& workers, EmbeddedCluster* cluster,
                        std::vector<std::string>* notes);
  // Wakes whoever is stalled. Call it before the cluster is stopped.
  void End(EmbeddedCluster* cluster);

  // "2 kill-worker, 1 kill-server".
  std::string Summary() const;

 private:
  absl::Status Do(const ChaosEvent& event, absl::Time now, EmbeddedCluster* cluster,
                  std::vector<std::string>* notes);

  ChaosSchedule schedule_;
  const absl::Time began_;
  std::vector<std::pair<absl::Time, int>> stalled_;  // until when, which worker
  std::map<std::string, int> done_;
};

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_CHAOS_H_
