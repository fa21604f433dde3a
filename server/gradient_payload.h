// The values of a gradient chunk, whatever its encoding on the wire.
#ifndef LOCKSTEP_SERVER_GRADIENT_PAYLOAD_H_
#define LOCKSTEP_SERVER_GRADIENT_PAYLOAD_H_

#include "absl/status/statusor.h"
#include "engine/tensor.h"
#include "lockstep/v1/worker_service.pb.h"

namespace lockstep::server {

// `payload`: the message's bytes, four to an element of the tensor; undefined
// where it has none. Returns float32 values, undefined where the message is no
// GradientChunk; they are the payload itself where it holds float32.
// Errors: InvalidArgument: payload and encoding do not fit together.
absl::StatusOr<Tensor> GradientValues(const v1::WorkerMessage& message, Tensor payload);

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_GRADIENT_PAYLOAD_H_
