// gRPC settings that both ends of WorkerService's streams share, chosen for
// messages of 256 KiB on fast links; the defaults are made for small calls.
#ifndef LOCKSTEP_PROTO_CODEC_TRANSPORT_ARGUMENTS_H_
#define LOCKSTEP_PROTO_CODEC_TRANSPORT_ARGUMENTS_H_

#include <grpc/grpc.h>

#include <string>

namespace lockstep {

// Calls set(name, value) for each setting: a ServerBuilder's AddChannelArgument
// or a ChannelArguments' SetInt.
template <typename Set>
void ForEachTransportArgument(const Set& set) {
  // A chunk in few frames and few reads rather than in 16 and 32.
  set(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, 1 << 20);
  set(GRPC_ARG_TCP_READ_CHUNK_SIZE, 256 << 10);
  set(GRPC_ARG_TCP_MIN_READ_CHUNK_SIZE, 64 << 10);
  set(GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE, 1 << 20);
  // A window that a step's gradients seldom fill, fixed: probing for the
  // bandwidth costs pings and starts too small.
  set(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 16 << 20);
  set(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  set(GRPC_ARG_HTTP2_WRITE_BUFFER_SIZE, 1 << 20);
}

}  // namespace lockstep

#endif  // LOCKSTEP_PROTO_CODEC_TRANSPORT_ARGUMENTS_H_
