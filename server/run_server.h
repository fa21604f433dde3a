// The `lockstep-server` program: flags to options, signals to a shutdown.
#ifndef LOCKSTEP_SERVER_RUN_SERVER_H_
#define LOCKSTEP_SERVER_RUN_SERVER_H_

#include "engine/model/layer_registry.h"

namespace lockstep::server {

// Serves until SIGINT or SIGTERM; a main's first and only call. The process
// ends in it, or with the exit code that it returns: 0 stopped by a signal,
// 1 failure, 2 wrong flags. `layers`: what jobs may name besides job.proto's.
int RunServer(int argc, char** argv, LayerRegistry layers = {});

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_RUN_SERVER_H_
