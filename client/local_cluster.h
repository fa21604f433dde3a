// What an embedded cluster on this machine needs to know from its surroundings.
#ifndef LOCKSTEP_CLIENT_LOCAL_CLUSTER_H_
#define LOCKSTEP_CLIENT_LOCAL_CLUSTER_H_

#include "absl/status/statusor.h"
#include "client/embedded_cluster.h"
#include "client/environment.h"

namespace lockstep::client {

// Options with the programs, the temporary folder, workers and threads filled
// in; the folders are left to the caller. `threads`: of each worker; 0: the
// machine's processors shared out. Errors: Internal: a program is not there.
absl::StatusOr<EmbeddedClusterOptions> LocalClusterOptions(const Environment& environment,
                                                           int workers, int threads);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_LOCAL_CLUSTER_H_
