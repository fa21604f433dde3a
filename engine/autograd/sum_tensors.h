// Sums of tensors over axes, for operations' results and gradients.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_SUM_TENSORS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_SUM_TENSORS_H_

#include <cstdint>

#include "absl/types/span.h"
#include "engine/tensor.h"

namespace lockstep::autograd {

// Order: over the last axis kernels::SumRows, over any other
// kernels::SumColumns. The axis stays with extent 1.
Tensor SumOverAxis(const Tensor& x, int axis);
// `x`, which has the shape `target` broadcasts to, summed back to `target`: the
// repeated axes, last first, each by SumOverAxis; the first axis, which may be
// a batch's, by SumColumnsShardTree over `batch_cuts` ({}: one shard).
Tensor SumToShape(const Tensor& x, const Shape& target, absl::Span<const int64_t> batch_cuts);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_SUM_TENSORS_H_
