#include "engine/autograd/reduction_ops.h"

#include "engine/autograd/axis_cut.h"
#include "engine/autograd/expand_ops.h"
#include "engine/autograd/node.h"
#include "engine/autograd/shape_ops.h"
#include "engine/autograd/shard_cuts.h"
#include "engine/kernels/elementwise.h"
#include "engine/kernels/reduce.h"

namespace lockstep::autograd {
namespace {

Tensor DividedBy(const Tensor& x, int64_t divisor) {
  Tensor result = Tensor::Empty(x.shape(), x.dtype());
  VisitFloating("mean", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::BinaryScalarRight(kernels::BinaryOp::kDivide, x.element_count(), x.data<T>(),
                               static_cast<T>(divisor), result.data<T>());
  });
  return result;
}

Tensor SumAll(const Tensor& x) {
  Tensor result = Tensor::Empty(Shape{}, x.dtype());
  VisitFloating("sum", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::SumRows(1, x.element_count(), x.data<T>(), result.data<T>());
  });
  return result;
}

// A mean's share of a gradient, as an operation.
Variable DividedBy(const Variable& x, int64_t divisor) {
  return MakeResult("divide_by_count", DividedBy(x.value(), divisor), {x},
                    [divisor](const auto& upstream, auto& gradients) {
                      gradients.Add(0, DividedBy(upstream, divisor));
                    });
}

// The gradient of both sums: upstream repeated to the input's shape, over
// `divisor` for means (1: a sum).
auto RepeatUpstream(const Shape& summed, const Shape& shape, int64_t divisor) {
  return WithGraph(
      [summed, shape, divisor](const Tensor& upstream, InputGradients& gradients) {
        Tensor share = upstream.Reshape(summed);
        if (divisor != 1) share = DividedBy(share, divisor);
        gradients.Add(0, ExpandTensor(share, shape));
      },
      [summed, shape, divisor](const Variable& upstream, GraphGradients& gradients) {
        Variable share = Reshape(upstream, summed);
        if (divisor != 1) share = DividedBy(share, divisor);
        gradients.Add(0, Expand(share, shape));
      });
}

Variable ReduceAll(const char* name, const Variable& x, bool mean) {
  ShardCuts::MarkUnsupported();
  const int64_t divisor = mean ? x.value().element_count() : 1;
  Tensor sum = SumAll(x.value());
  if (mean) sum = DividedBy(sum, divisor);
  return MakeResult(name, std::move(sum), {x}, RepeatUpstream(Shape{}, x.shape(), divisor));
}

Variable ReduceAxis(const char* name, const Variable& x, int axis, bool keep_axis, bool mean) {
  axis = CheckedAxis(name, x.shape(), axis);
  if (axis == 0) ShardCuts::MarkUnsupported();
  const int64_t divisor = mean ? x.dim(axis) : 1;
  Tensor sum = SumOverAxis(x.value(), axis);
  if (mean) sum = DividedBy(sum, divisor);
  const Shape summed = sum.shape();
  if (!keep_axis) sum = sum.Reshape(WithoutAxis(summed, axis));
  return MakeResult(name, std::move(sum), {x}, RepeatUpstream(summed, x.shape(), divisor));
}

}  // namespace

Variable Sum(const Variable& x) { return ReduceAll("sum", x, false); }
Variable Mean(const Variable& x) { return ReduceAll("mean", x, true); }
Variable Sum(const Variable& x, int axis, bool keep_axis) {
  return ReduceAxis("sum", x, axis, keep_axis, false);
}
Variable Mean(const Variable& x, int axis, bool keep_axis) {
  return ReduceAxis("mean", x, axis, keep_axis, true);
}

}  // namespace lockstep::autograd
