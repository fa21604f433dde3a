// The `lockstep-worker` program: flags to options, signals to an orderly end.
#ifndef LOCKSTEP_WORKER_RUN_WORKER_H_
#define LOCKSTEP_WORKER_RUN_WORKER_H_

#include "engine/model/layer_registry.h"

namespace lockstep::worker {

// Works until SIGINT or SIGTERM; a main's first and only call (the process
// starts itself again once, to set how OpenMP's threads wait). The process ends
// in it, or with the exit code that it returns: 0 stopped by a signal, 1
// failure, 2 wrong flags. `layers`: what jobs may name besides job.proto's.
int RunWorker(int argc, char** argv, LayerRegistry layers = {});

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_RUN_WORKER_H_
