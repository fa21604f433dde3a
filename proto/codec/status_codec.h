// absl::Status to and from gRPC's: same codes, same messages.
#ifndef LOCKSTEP_PROTO_CODEC_STATUS_CODEC_H_
#define LOCKSTEP_PROTO_CODEC_STATUS_CODEC_H_

#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"

namespace lockstep {

inline grpc::Status ToGrpcStatus(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()));
}

inline absl::Status FromGrpcStatus(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

}  // namespace lockstep

#endif  // LOCKSTEP_PROTO_CODEC_STATUS_CODEC_H_
