#include "engine/autograd/indexing_ops.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/autograd/axis_cut.h"
#include "engine/autograd/node.h"
#include "engine/autograd/shard_cuts.h"
#include "engine/block_pool.h"
#include "engine/check.h"
#include "engine/kernels/gather.h"

namespace lockstep::autograd {
namespace {

void CheckIndices(const char* operation, const Tensor& indices, int64_t extent) {
  LOCKSTEP_CHECK(
      indices.dtype() == DType::kInt64,
      absl::StrCat(operation, ": got ", DTypeName(indices.dtype()), " indices, want int64"));
  if (indices.element_count() == 0) return;
  for (int64_t index : indices.span<int64_t>()) {
    LOCKSTEP_CHECK(index >= 0 && index < extent,
                   absl::StrCat(operation, ": got index ", index, ", want 0 to ", extent - 1));
  }
}

// Of a tensor of `shape` with `extent` elements along the axis.
kernels::GatherExtents ExtentsOf(const Tensor& indices, int axis, int64_t extent) {
  const AxisCut cut = CutAt(indices.shape(), axis);
  return {cut.before, extent, cut.after, cut.extent};
}

Tensor GatherTensor(const Tensor& x, int axis, const Tensor& indices) {
  Tensor y = Tensor::Empty(indices.shape(), x.dtype());
  VisitFloating("gather", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::Gather(ExtentsOf(indices, axis, x.dim(axis)), x.data<T>(), indices.data<int64_t>(),
                    y.data<T>());
  });
  return y;
}

void ScatterAddInto(const Tensor& x, int axis, const Tensor& indices, Tensor y) {
  VisitFloating("scatter_add", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::ScatterAdd(ExtentsOf(indices, axis, y.dim(axis)), x.data<T>(), indices.data<int64_t>(),
                        y.data<T>());
  });
}

}  // namespace

Variable Gather(const Variable& x, int axis, const Tensor& indices) {
  const int checked = CheckedAxis("gather", x.shape(), axis);
  LOCKSTEP_CHECK(indices.rank() == x.rank() &&
                     WithExtent(indices.shape(), checked, 0) == WithExtent(x.shape(), checked, 0),
                 absl::StrCat("gather: indices ", indices.shape().ToString(), " do not fit ",
                              x.shape().ToString(), " beside axis ", axis));
  const int64_t extent = x.dim(checked);
  CheckIndices("gather", indices, extent);
  if (checked == 0) ShardCuts::MarkUnsupported();
  return MakeResult(
      "gather", GatherTensor(x.value(), checked, indices), {x},
      WithGraph(
          [checked, indices](const Tensor& upstream, InputGradients& gradients) {
            Tensor dx = gradients.Destination(0);
            ScatterAddInto(upstream, checked, indices, dx);
            gradients.Add(0, dx);
          },
          [checked, indices, extent](const Variable& upstream, GraphGradients& gradients) {
            gradients.Add(0, ScatterAdd(upstream, checked, indices, extent));
          }));
}

Variable ScatterAdd(const Variable& x, int axis, const Tensor& indices, int64_t extent) {
  const int checked = CheckedAxis("scatter_add", x.shape(), axis);
  LOCKSTEP_CHECK(indices.shape() == x.shape(),
                 absl::StrCat("scatter_add: indices ", indices.shape().ToString(), " do not fit ",
                              x.shape().ToString()));
  CheckIndices("scatter_add", indices, extent);
  if (checked == 0) ShardCuts::MarkUnsupported();
  Tensor y = Tensor::Empty(WithExtent(x.shape(), checked, extent), x.dtype());
  ScatterAddInto(x.value(), checked, indices, y);
  return MakeResult("scatter_add", std::move(y), {x},
                    WithGraph(
                        [checked, indices](const Tensor& upstream, InputGradients& gradients) {
                          gradients.Add(0, GatherTensor(upstream, checked, indices));
                        },
                        [checked, indices](const Variable& upstream, GraphGradients& gradients) {
                          gradients.Add(0, Gather(upstream, checked, indices));
                        }));
}

Tensor OneHot(const Tensor& indices, int64_t classes, DType dtype) {
  CheckIndices("one_hot", indices, classes);
  PooledVector<int64_t> extents = indices.shape().extents();
  extents.push_back(classes);
  Tensor y = Tensor::Zeros(Shape(std::move(extents)), dtype);
  VisitFloating("one_hot", dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t i = 0; i < indices.element_count(); ++i) {
      y.data<T>()[i * classes + indices.data<int64_t>()[i]] = T{1};
    }
  });
  return y;
}

}  // namespace lockstep::autograd
