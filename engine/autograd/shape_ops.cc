#include "engine/autograd/shape_ops.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/autograd/axis_cut.h"
#include "engine/autograd/node.h"
#include "engine/autograd/shard_cuts.h"
#include "engine/autograd/strided_tensors.h"
#include "engine/block_pool.h"
#include "engine/check.h"

namespace lockstep::autograd {
namespace {

Shape Completed(const Shape& from, const Shape& to) {
  PooledVector<int64_t> extents = to.extents();
  const auto open = std::find(extents.begin(), extents.end(), -1);
  if (open == extents.end()) return to;
  *open = 1;
  const int64_t rest = Shape(extents).element_count();
  *open = rest == 0 ? 0 : from.element_count() / rest;
  return Shape(std::move(extents));
}

// `shape` with its axes in the order `axes`, seen in the row-major tensor.
StridedView PermutedView(const Shape& shape, const PooledVector<int>& axes) {
  const PooledVector<int64_t> strides = RowMajorStrides(shape);
  PooledVector<int64_t> extents;
  StridedView view;
  for (int axis : axes) {
    extents.push_back(shape.dim(axis));
    view.strides.push_back(strides[axis]);
  }
  view.shape = Shape(std::move(extents));
  return view;
}

StridedView TransposedView(const Shape& shape, int axis_a, int axis_b) {
  PooledVector<int> axes(shape.rank());
  for (int i = 0; i < shape.rank(); ++i) axes[i] = i;
  std::swap(axes[axis_a], axes[axis_b]);
  return PermutedView(shape, axes);
}

// The axes counted from the front, each exactly once.
PooledVector<int> CheckedPermutation(const Shape& shape, absl::Span<const int> axes) {
  LOCKSTEP_CHECK(static_cast<int>(axes.size()) == shape.rank() &&
                     static_cast<int>(CheckedAxes("permute", shape, axes).size()) == shape.rank(),
                 absl::StrCat("permute: got ", axes.size(), " axes for shape ", shape.ToString(),
                              ", want each of its axes once"));
  PooledVector<int> checked;
  for (int axis : axes) checked.push_back(CheckedAxis("permute", shape, axis));
  return checked;
}

}  // namespace

Variable Reshape(const Variable& x, const Shape& shape) {
  const Shape before = x.shape();
  return MakeResult(
      "reshape", x.value().Reshape(Completed(before, shape)), {x},
      WithGraph([before](const Tensor& upstream,
                         InputGradients& gradients) { gradients.Add(0, upstream.Reshape(before)); },
                [before](const Variable& upstream, GraphGradients& gradients) {
                  gradients.Add(0, Reshape(upstream, before));
                }));
}

Variable Flatten(const Variable& x) {
  LOCKSTEP_CHECK(x.rank() >= 1, "flatten: got a scalar, want [n, ...]");
  PooledVector<int64_t> example(x.shape().extents().begin() + 1, x.shape().extents().end());
  return Reshape(x, Shape{x.dim(0), Shape(std::move(example)).element_count()});
}

Variable Squeeze(const Variable& x, int axis) {
  const int checked = CheckedAxis("squeeze", x.shape(), axis);
  LOCKSTEP_CHECK(x.dim(checked) == 1, absl::StrCat("squeeze: axis ", axis, " of shape ",
                                                   x.shape().ToString(), " has not extent 1"));
  return Reshape(x, WithoutAxis(x.shape(), checked));
}

Variable Unsqueeze(const Variable& x, int axis) {
  PooledVector<int64_t> extents = x.shape().extents();
  LOCKSTEP_CHECK(axis >= -x.rank() - 1 && axis <= x.rank(),
                 absl::StrCat("unsqueeze: shape ", x.shape().ToString(), " has no place ", axis));
  extents.insert(extents.begin() + (axis < 0 ? axis + x.rank() + 1 : axis), 1);
  return Reshape(x, Shape(std::move(extents)));
}

Tensor PermuteTensor(const Tensor& x, absl::Span<const int> axes) {
  return TakeTensor(x, PermutedView(x.shape(), CheckedPermutation(x.shape(), axes)));
}

Variable Permute(const Variable& x, absl::Span<const int> axes) {
  const PooledVector<int> checked = CheckedPermutation(x.shape(), axes);
  if (!checked.empty() && checked[0] != 0) ShardCuts::MarkFirstAxisChanged(x.dim(0));
  return TakeView("permute", x, PermutedView(x.shape(), checked));
}

Tensor TransposeTensor(const Tensor& x, int axis_a, int axis_b) {
  return TakeTensor(x, TransposedView(x.shape(), axis_a, axis_b));
}

Variable Transpose(const Variable& x, int axis_a, int axis_b) {
  const int a = CheckedAxis("transpose", x.shape(), axis_a);
  const int b = CheckedAxis("transpose", x.shape(), axis_b);
  if (a != b && (a == 0 || b == 0)) ShardCuts::MarkFirstAxisChanged(x.dim(0));
  return TakeView("transpose", x, TransposedView(x.shape(), a, b));
}

Variable Transpose(const Variable& x) {
  LOCKSTEP_CHECK(x.rank() == 2,
                 absl::StrCat("transpose: got shape ", x.shape().ToString(), ", want a matrix"));
  return Transpose(x, 0, 1);
}

Shape BroadcastShapes(const char* operation, const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  PooledVector<int64_t> extents(rank);
  for (int i = 1; i <= rank; ++i) {
    const int64_t from_a = i <= a.rank() ? a.dim(-i) : 1;
    const int64_t from_b = i <= b.rank() ? b.dim(-i) : 1;
    LOCKSTEP_CHECK(from_a == from_b || from_a == 1 || from_b == 1,
                   absl::StrCat(operation, ": shapes ", a.ToString(), " and ", b.ToString(),
                                " do not broadcast"));
    extents[rank - i] = from_a == 1 ? from_b : from_a;
  }
  return Shape(std::move(extents));
}

Tensor ExpandTensor(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  LOCKSTEP_CHECK(BroadcastShapes("expand", x.shape(), shape) == shape,
                 absl::StrCat("expand: shape ", x.shape().ToString(), " does not broadcast to ",
                              shape.ToString()));
  const PooledVector<int64_t> own = RowMajorStrides(x.shape());
  StridedView view{/*offset=*/0, shape, PooledVector<int64_t>(shape.rank(), 0)};
  for (int i = 1; i <= x.rank(); ++i) {
    if (x.dim(-i) != 1) view.strides[shape.rank() - i] = own[x.rank() - i];
  }
  return TakeTensor(x, view);
}

}  // namespace lockstep::autograd
