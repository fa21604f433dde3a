// The `lockstep` program: the environment from the process, then the command.
#ifndef LOCKSTEP_CLIENT_CLIENT_PROGRAM_H_
#define LOCKSTEP_CLIENT_CLIENT_PROGRAM_H_

#include "engine/model/layer_registry.h"

namespace lockstep::client {

// A main's first and only call; the process ends in it with the command's exit
// code (exit_code.h). `layers`: what job files may name besides job.proto's.
// `train` starts lockstep-server and lockstep-worker from its own executable's
// folder where they are: those must have been built with the same layers.
int RunClientProgram(int argc, char** argv, LayerRegistry layers = {});

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_CLIENT_PROGRAM_H_
