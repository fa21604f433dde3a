#include "engine/autograd/sum_tensors.h"

#include "engine/autograd/axis_cut.h"
#include "engine/kernels/reduce.h"

namespace lockstep::autograd {

Tensor SumOverAxis(const Tensor& x, int axis) {
  const AxisCut cut = CutAt(x.shape(), axis);
  Tensor result = Tensor::Empty(WithExtent(x.shape(), axis, 1), x.dtype());
  VisitFloating("sum", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = x.data<T>();
    T* to = result.data<T>();
    if (axis == x.rank() - 1) return kernels::SumRows(cut.before, cut.extent, from, to);
    for (int64_t i = 0; i < cut.before; ++i) {
      kernels::SumColumns(cut.extent, cut.after, from + i * cut.extent * cut.after,
                          to + i * cut.after);
    }
  });
  return result;
}

Tensor SumToShape(const Tensor& x, const Shape& target, absl::Span<const int64_t> batch_cuts) {
  const int added = x.rank() - target.rank();
  Tensor sum = x;
  for (int axis = x.rank() - 1; axis >= 0; --axis) {
    const bool repeated = axis < added || (target.dim(axis - added) == 1 && x.dim(axis) != 1);
    if (!repeated) continue;
    if (axis > 0) {
      sum = SumOverAxis(sum, axis);
      continue;
    }
    const AxisCut cut = CutAt(sum.shape(), 0);
    const int64_t one_shard[] = {0, cut.extent};
    const absl::Span<const int64_t> cuts =
        batch_cuts.empty() ? absl::MakeConstSpan(one_shard) : batch_cuts;
    Tensor root = Tensor::Empty(WithExtent(sum.shape(), 0, 1), x.dtype());
    VisitFloating("sum", x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      kernels::SumColumnsShardTree(cut.after, cuts, sum.data<T>(), root.data<T>());
    });
    sum = root;
  }
  return sum.Reshape(target);
}

}  // namespace lockstep::autograd
