// How a program begins and ends with gRPC: without its log lines, and without
// waiting for it.
#ifndef LOCKSTEP_PROTO_CODEC_GRPC_LIFETIME_H_
#define LOCKSTEP_PROTO_CODEC_GRPC_LIFETIME_H_

#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <unistd.h>

#include <cstdio>

namespace lockstep {

// Call it once, before anything else uses gRPC. Without it the end of the last
// gRPC object shuts the library down, and that waits for a thread of its own
// which may look at a socket for up to 10 s (it does after a write that filled
// the socket's buffer).
inline void KeepGrpcRunning() { grpc_init(); }

// Drops gRPC's own log lines: what goes wrong is reported once, by the caller.
inline void SilenceGrpcLog() {
  gpr_set_log_function([](gpr_log_func_args*) {});
}

// Ends the program, with gRPC's threads still there: standard output is
// written, nothing else is cleared up. Requires: all that matters is destroyed.
[[noreturn]] inline void ExitWithGrpcRunning(int exit_code) {
  std::fflush(nullptr);
  _exit(exit_code);
}

}  // namespace lockstep

#endif  // LOCKSTEP_PROTO_CODEC_GRPC_LIFETIME_H_
