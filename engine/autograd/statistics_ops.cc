#include "engine/autograd/statistics_ops.h"

#include "engine/autograd/arithmetic_ops.h"
#include "engine/autograd/axis_cut.h"
#include "engine/autograd/math_ops.h"
#include "engine/autograd/reduction_ops.h"
#include "engine/block_pool.h"

namespace lockstep::autograd {
namespace {

PooledVector<int> AllAxes(const Shape& shape) {
  PooledVector<int> axes(shape.rank());
  for (int i = 0; i < shape.rank(); ++i) axes[i] = i;
  return axes;
}

// How many elements go into each sum.
int64_t Count(const Shape& shape, const PooledVector<int>& axes) {
  int64_t count = 1;
  for (int axis : axes) count *= shape.dim(axis);
  return count;
}

Variable Over(const Variable& x, int64_t divisor) {
  return x / Variable(Tensor::Scalar(static_cast<double>(divisor), x.dtype()));
}

}  // namespace

Variable Sum(const Variable& x, absl::Span<const int> axes, bool keep_axes) {
  Variable sum = x;
  for (int axis : CheckedAxes("sum", x.shape(), axes)) sum = Sum(sum, axis, keep_axes);
  return sum;
}

Variable Mean(const Variable& x, absl::Span<const int> axes, bool keep_axes) {
  const int64_t count = Count(x.shape(), CheckedAxes("mean", x.shape(), axes));
  return Over(Sum(x, axes, keep_axes), count);
}

Variable Var(const Variable& x, absl::Span<const int> axes, bool unbiased, bool keep_axes) {
  const int64_t count = Count(x.shape(), CheckedAxes("var", x.shape(), axes));
  const Variable distance = x - Mean(x, axes, /*keep_axes=*/true);
  return Over(Sum(distance * distance, axes, keep_axes), unbiased ? count - 1 : count);
}

Variable Var(const Variable& x) { return Var(x, AllAxes(x.shape())); }

Variable Std(const Variable& x, absl::Span<const int> axes, bool unbiased, bool keep_axes) {
  return Sqrt(Var(x, axes, unbiased, keep_axes));
}

Variable Std(const Variable& x) { return Std(x, AllAxes(x.shape())); }

}  // namespace lockstep::autograd
