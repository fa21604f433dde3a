#include "engine/autograd/extremum_ops.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/autograd/axis_cut.h"
#include "engine/autograd/node.h"
#include "engine/autograd/shape_ops.h"
#include "engine/autograd/shard_cuts.h"
#include "engine/block_pool.h"
#include "engine/check.h"
#include "engine/kernels/extremum.h"

namespace lockstep::autograd {
namespace {

using kernels::ExtremumOp;

// Values and positions, the axis with extent 1.
struct Extremes {
  Tensor values;
  Tensor indices;
};

Extremes Find(const char* name, ExtremumOp op, const Tensor& x, int axis) {
  const AxisCut cut = CutAt(x.shape(), axis);
  LOCKSTEP_CHECK(cut.extent > 0, absl::StrCat(name, ": axis ", axis, " of shape ",
                                              x.shape().ToString(), " has no elements"));
  const Shape shape = WithExtent(x.shape(), axis, 1);
  Extremes found = {Tensor::Empty(shape, x.dtype()), Tensor::Empty(shape, DType::kInt64)};
  VisitFloating(name, x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::Extremum(op, cut.before, cut.extent, cut.after, x.data<T>(), found.values.data<T>(),
                      found.indices.data<int64_t>());
  });
  return found;
}

Variable Reduce(const char* name, ExtremumOp op, const Variable& x, int axis, bool keep_axis) {
  axis = CheckedAxis(name, x.shape(), axis);
  if (axis == 0) ShardCuts::MarkUnsupported();
  const Extremes found = Find(name, op, x.value(), axis);
  const Tensor indices = found.indices;
  const AxisCut cut = CutAt(x.shape(), axis);
  Tensor y = keep_axis ? found.values : found.values.Reshape(WithoutAxis(x.shape(), axis));
  return MakeResult(name, std::move(y), {x},
                    [name, cut, indices](const Tensor& upstream, InputGradients& gradients) {
                      Tensor dx = gradients.Destination(0);
                      VisitFloating(name, upstream.dtype(), [&](auto zero) {
                        using T = decltype(zero);
                        kernels::ExtremumBackward(cut.before, cut.extent, cut.after,
                                                  upstream.data<T>(), indices.data<int64_t>(),
                                                  dx.data<T>());
                      });
                      gradients.Add(0, dx);
                    });
}

Variable Reduce(const char* name, ExtremumOp op, const Variable& x, absl::Span<const int> axes,
                bool keep_axes) {
  Variable y = x;
  for (int axis : CheckedAxes(name, x.shape(), axes)) y = Reduce(name, op, y, axis, keep_axes);
  return y;
}

Shape WithLast(const Shape& shape, int64_t extent) {
  PooledVector<int64_t> extents = shape.extents();
  extents.push_back(extent);
  return Shape(std::move(extents));
}

Tensor Positions(const char* name, ExtremumOp op, const Tensor& x, int axis, bool keep_axis) {
  axis = CheckedAxis(name, x.shape(), axis);
  const Tensor indices = Find(name, op, x, axis).indices;
  return keep_axis ? indices : indices.Reshape(WithoutAxis(x.shape(), axis));
}

// The axes are brought to the end and joined.
Tensor Positions(const char* name, ExtremumOp op, const Tensor& x, absl::Span<const int> axes,
                 bool keep_axes) {
  const PooledVector<int> descending = CheckedAxes(name, x.shape(), axes);
  PooledVector<int> order;
  Shape kept = x.shape(), others = x.shape();
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (std::find(descending.begin(), descending.end(), axis) == descending.end()) {
      order.push_back(axis);
    }
  }
  order.insert(order.end(), descending.rbegin(), descending.rend());
  int64_t joined = 1;
  for (int axis : descending) {
    joined *= x.dim(axis);
    kept = WithExtent(kept, axis, 1);
    others = WithoutAxis(others, axis);
  }
  const Tensor rows = PermuteTensor(x, order).Reshape(WithLast(others, joined));
  return Positions(name, op, rows, -1, /*keep_axis=*/false).Reshape(keep_axes ? kept : others);
}

}  // namespace

Variable Max(const Variable& x, int axis, bool keep_axis) {
  return Reduce("max", ExtremumOp::kMaximum, x, axis, keep_axis);
}
Variable Min(const Variable& x, int axis, bool keep_axis) {
  return Reduce("min", ExtremumOp::kMinimum, x, axis, keep_axis);
}
Variable Max(const Variable& x, absl::Span<const int> axes, bool keep_axes) {
  return Reduce("max", ExtremumOp::kMaximum, x, axes, keep_axes);
}
Variable Min(const Variable& x, absl::Span<const int> axes, bool keep_axes) {
  return Reduce("min", ExtremumOp::kMinimum, x, axes, keep_axes);
}
Variable Max(const Variable& x) { return Max(Reshape(x, {-1}), 0); }
Variable Min(const Variable& x) { return Min(Reshape(x, {-1}), 0); }

Tensor ArgMax(const Tensor& x, int axis, bool keep_axis) {
  return Positions("argmax", ExtremumOp::kMaximum, x, axis, keep_axis);
}
Tensor ArgMin(const Tensor& x, int axis, bool keep_axis) {
  return Positions("argmin", ExtremumOp::kMinimum, x, axis, keep_axis);
}

Tensor ArgMax(const Tensor& x, absl::Span<const int> axes, bool keep_axes) {
  return Positions("argmax", ExtremumOp::kMaximum, x, axes, keep_axes);
}
Tensor ArgMin(const Tensor& x, absl::Span<const int> axes, bool keep_axes) {
  return Positions("argmin", ExtremumOp::kMinimum, x, axes, keep_axes);
}
Tensor ArgMax(const Tensor& x) { return ArgMax(x.Reshape({x.element_count()}), 0); }
Tensor ArgMin(const Tensor& x) { return ArgMin(x.Reshape({x.element_count()}), 0); }

}  // namespace lockstep::autograd
