#include "engine/autograd/slice_ops.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/autograd/axis_cut.h"
#include "engine/autograd/node.h"
#include "engine/autograd/shape_ops.h"
#include "engine/autograd/shard_cuts.h"
#include "engine/autograd/strided_tensors.h"
#include "engine/block_pool.h"
#include "engine/check.h"

namespace lockstep::autograd {
namespace {

// Elements [begin, begin + extent * step) of an axis, each step-th.
StridedView AxisView(const Shape& shape, int axis, int64_t begin, int64_t extent,
                     int64_t step = 1) {
  StridedView view;
  view.strides = RowMajorStrides(shape);
  view.offset = begin * view.strides[axis];
  view.strides[axis] *= step;
  view.shape = WithExtent(shape, axis, extent);
  return view;
}

// A place of Python's slices, brought into [0, extent].
int64_t Place(int64_t index, int64_t extent) {
  if (index < 0) index += extent;
  return std::clamp<int64_t>(index, 0, extent);
}

Variable TakeAlong(const Variable& x, int axis, int64_t begin, int64_t extent, int64_t step) {
  if (axis == 0 && extent != x.dim(0)) ShardCuts::MarkFirstAxisChanged(x.dim(0));
  return TakeView("slice", x, AxisView(x.shape(), axis, begin, extent, step));
}

}  // namespace

Variable Slice(const Variable& x, int axis, int64_t begin, int64_t end, int64_t step) {
  const int checked = CheckedAxis("slice", x.shape(), axis);
  LOCKSTEP_CHECK(step > 0, absl::StrCat("slice: got step ", step, ", want at least 1"));
  const int64_t extent = x.dim(checked);
  const int64_t first = Place(begin, extent);
  const int64_t taken = std::max<int64_t>(0, Place(end, extent) - first);
  return TakeAlong(x, checked, first, (taken + step - 1) / step, step);
}

Variable Select(const Variable& x, int axis, int64_t index) {
  const int checked = CheckedAxis("select", x.shape(), axis);
  const int64_t extent = x.dim(checked);
  LOCKSTEP_CHECK(index >= -extent && index < extent,
                 absl::StrCat("select: axis ", axis, " of shape ", x.shape().ToString(),
                              " has no index ", index));
  if (checked == 0) ShardCuts::MarkFirstAxisChanged(extent);
  return Squeeze(TakeAlong(x, checked, index < 0 ? index + extent : index, 1, 1), checked);
}

std::vector<Variable> Split(const Variable& x, absl::Span<const int64_t> extents, int axis) {
  const int checked = CheckedAxis("split", x.shape(), axis);
  std::vector<Variable> parts;
  int64_t begin = 0;
  for (int64_t extent : extents) {
    LOCKSTEP_CHECK(extent >= 0 && begin + extent <= x.dim(checked),
                   absl::StrCat("split: extents do not add up to axis ", axis, " of shape ",
                                x.shape().ToString()));
    parts.push_back(TakeAlong(x, checked, begin, extent, 1));
    begin += extent;
  }
  LOCKSTEP_CHECK(begin == x.dim(checked),
                 absl::StrCat("split: extents add up to ", begin, ", want axis ", axis,
                              " of shape ", x.shape().ToString()));
  return parts;
}

std::vector<Variable> Split(const Variable& x, int64_t extent, int axis) {
  LOCKSTEP_CHECK(extent > 0, absl::StrCat("split: got extent ", extent, ", want at least 1"));
  PooledVector<int64_t> extents;
  for (int64_t rest = x.dim(CheckedAxis("split", x.shape(), axis)); rest > 0; rest -= extent) {
    extents.push_back(std::min(rest, extent));
  }
  return Split(x, extents, axis);
}

Variable Concat(absl::Span<const Variable> parts, int axis) {
  LOCKSTEP_CHECK(!parts.empty(), "concat: got no tensors");
  const Shape& first = parts[0].shape();
  const int checked = CheckedAxis("concat", first, axis);
  int64_t extent = 0;
  for (const Variable& part : parts) {
    LOCKSTEP_CHECK(part.rank() == first.rank() &&
                       WithExtent(part.shape(), checked, 0) == WithExtent(first, checked, 0),
                   absl::StrCat("concat: shapes ", first.ToString(), " and ",
                                part.shape().ToString(), " differ beside axis ", axis));
    CommonDType("concat", parts[0].value(), part.value());
    extent += part.dim(checked);
    if (checked == 0 && parts.size() > 1) ShardCuts::MarkFirstAxisChanged(part.dim(0));
  }
  Tensor y = Tensor::Empty(WithExtent(first, checked, extent), parts[0].dtype());
  PooledVector<StridedView> views;
  int64_t begin = 0;
  for (const Variable& part : parts) {
    views.push_back(AxisView(y.shape(), checked, begin, part.dim(checked)));
    PutTensor(part.value(), views.back(), y);
    begin += part.dim(checked);
  }
  return MakeResult("concat", std::move(y), parts,
                    WithGraph(
                        [views](const Tensor& upstream, InputGradients& gradients) {
                          for (size_t i = 0; i < views.size(); ++i) {
                            const int input = static_cast<int>(i);
                            if (!gradients.Wanted(input)) continue;
                            gradients.Add(input, TakeTensor(upstream, views[i]));
                          }
                        },
                        [views](const Variable& upstream, GraphGradients& gradients) {
                          for (size_t i = 0; i < views.size(); ++i) {
                            const int input = static_cast<int>(i);
                            if (!gradients.Wanted(input)) continue;
                            gradients.Add(input, TakeView("slice", upstream, views[i]));
                          }
                        }));
}

Variable Stack(absl::Span<const Variable> parts, int axis) {
  LOCKSTEP_CHECK(!parts.empty(), "stack: got no tensors");
  const int place = axis < 0 ? axis + parts[0].rank() + 1 : axis;
  std::vector<Variable> layers;
  for (const Variable& part : parts) {
    LOCKSTEP_CHECK(part.shape() == parts[0].shape(),
                   absl::StrCat("stack: shapes ", parts[0].shape().ToString(), " and ",
                                part.shape().ToString(), " differ"));
    if (place == 0 && part.rank() > 0) ShardCuts::MarkFirstAxisChanged(part.dim(0));
    layers.push_back(Unsqueeze(part, place));
  }
  return Concat(layers, place);
}

Variable Pad(const Variable& x, absl::Span<const AxisPadding> paddings, double value) {
  const int padded = static_cast<int>(paddings.size());
  LOCKSTEP_CHECK(padded <= x.rank(), absl::StrCat("pad: got ", padded, " axes' padding for shape ",
                                                  x.shape().ToString()));
  PooledVector<int64_t> extents = x.shape().extents(), before(x.rank(), 0);
  for (int i = 0; i < padded; ++i) {
    const AxisPadding& padding = paddings[i];
    LOCKSTEP_CHECK(padding.before >= 0 && padding.after >= 0,
                   absl::StrCat("pad: got ", padding.before, " before and ", padding.after,
                                " after, want at least 0"));
    const int axis = x.rank() - padded + i;
    before[axis] = padding.before;
    extents[axis] += padding.before + padding.after;
  }
  const Shape shape(std::move(extents));
  if (padded == x.rank() && padded > 0 && shape.dim(0) != x.dim(0)) {
    ShardCuts::MarkFirstAxisChanged(x.dim(0));
  }
  StridedView view{/*offset=*/0, x.shape(), RowMajorStrides(shape)};
  for (int i = 0; i < x.rank(); ++i) view.offset += before[i] * view.strides[i];
  return PutView("pad", x, view, shape, value);
}

}  // namespace lockstep::autograd
