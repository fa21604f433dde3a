// The same elements in another arrangement.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_SHAPE_OPS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_SHAPE_OPS_H_

#include "absl/types/span.h"
#include "engine/autograd/variable.h"

namespace lockstep::autograd {

// Shares the elements. One extent may be -1: what is left over. Aborts, naming
// both shapes, where the element counts differ.
Variable Reshape(const Variable& x, const Shape& shape);
// All axes but the first become one: [n, ...] to [n, product].
Variable Flatten(const Variable& x);
// Two axes exchanged (a copy); negative ones count from the end.
Variable Transpose(const Variable& x, int axis_a, int axis_b);
// Of a matrix. Requires: rank 2.
Variable Transpose(const Variable& x);
// All axes in another order (a copy): axis i of the result is axis axes[i] of x.
// Aborts unless each of x's axes is named once.
Variable Permute(const Variable& x, absl::Span<const int> axes);
// Shares the elements, without an axis of extent 1; aborts where it has another.
Variable Squeeze(const Variable& x, int axis);
// Shares the elements, with an axis of extent 1 before `axis`; -1 is the last place.
Variable Unsqueeze(const Variable& x, int axis);

// ---- On tensors.

// Any dtype.
Tensor PermuteTensor(const Tensor& x, absl::Span<const int> axes);
Tensor TransposeTensor(const Tensor& x, int axis_a, int axis_b);
// `x` repeated to `shape`. Requires: x's shape broadcasts to it.
Tensor ExpandTensor(const Tensor& x, const Shape& shape);
// The shape that both broadcast to. Aborts, naming both, where there is none;
// `operation` begins the message.
Shape BroadcastShapes(const char* operation, const Shape& a, const Shape& b);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_SHAPE_OPS_H_
