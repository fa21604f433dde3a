#include "server/gradient_payload.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/kernels/bfloat16.h"
#include "server/parameter_store.h"

namespace lockstep::server {

absl::StatusOr<Tensor> GradientValues(const v1::WorkerMessage& message, Tensor payload) {
  if (!message.has_gradient_chunk()) {
    if (!payload.defined()) return payload;
    return absl::InvalidArgumentError("payload: got one without a gradient_chunk");
  }
  const v1::GradientChunk& chunk = message.gradient_chunk();
  const bool zero = chunk.encoding() == v1::GRADIENT_ENCODING_ZERO;
  if (payload.defined() == zero || chunk.elements() > kLargeChunkElements) {
    return absl::InvalidArgumentError(absl::StrCat(
        "gradient_chunk: got ", payload.defined() ? "a" : "no", " payload and ", chunk.elements(),
        " elements, want a payload, or an encoding without one and at most ", kLargeChunkElements));
  }
  switch (chunk.encoding()) {
    case v1::GRADIENT_ENCODING_FLOAT32:
      return payload;
    case v1::GRADIENT_ENCODING_BFLOAT16: {
      Tensor values = Tensor::Empty(Shape{2 * payload.element_count()});
      kernels::UnpackBfloat16(payload.data<float>(), values.span<float>());
      return values;
    }
    case v1::GRADIENT_ENCODING_ZERO:
      return Tensor::Zeros(Shape{static_cast<int64_t>(chunk.elements())});
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("gradient_chunk.encoding: got ", chunk.encoding(), ", want a known one"));
  }
}

}  // namespace lockstep::server
