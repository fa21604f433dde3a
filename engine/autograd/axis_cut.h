// A shape seen from one of its axes: what reductions along an axis go by.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_AXIS_CUT_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_AXIS_CUT_H_

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "engine/block_pool.h"
#include "engine/check.h"
#include "engine/shape.h"

namespace lockstep::autograd {

// [before, extent, after].
struct AxisCut {
  int64_t before = 1;
  int64_t extent = 1;
  int64_t after = 1;
};

inline AxisCut CutAt(const Shape& shape, int axis) {
  AxisCut cut;
  for (int i = 0; i < axis; ++i) cut.before *= shape.dim(i);
  cut.extent = shape.dim(axis);
  for (int i = axis + 1; i < shape.rank(); ++i) cut.after *= shape.dim(i);
  return cut;
}

inline Shape WithExtent(const Shape& shape, int axis, int64_t extent) {
  PooledVector<int64_t> extents = shape.extents();
  extents[axis] = extent;
  return Shape(std::move(extents));
}

inline Shape WithoutAxis(const Shape& shape, int axis) {
  PooledVector<int64_t> extents = shape.extents();
  extents.erase(extents.begin() + axis);
  return Shape(std::move(extents));
}

// The axis counted from the front; a negative one counts from the end. Aborts
// where there is none; `operation` begins the message.
inline int CheckedAxis(const char* operation, const Shape& shape, int axis) {
  LOCKSTEP_CHECK(axis >= -shape.rank() && axis < shape.rank(),
                 absl::StrCat(operation, ": shape ", shape.ToString(), " has no axis ", axis));
  return axis < 0 ? axis + shape.rank() : axis;
}

// The same for several axes, each at most once; the last comes first.
inline PooledVector<int> CheckedAxes(const char* operation, const Shape& shape,
                                     absl::Span<const int> axes) {
  PooledVector<int> descending;
  for (int axis : axes) descending.push_back(CheckedAxis(operation, shape, axis));
  std::sort(descending.rbegin(), descending.rend());
  LOCKSTEP_CHECK(
      std::adjacent_find(descending.begin(), descending.end()) == descending.end(),
      absl::StrCat(operation, ": an axis of shape ", shape.ToString(), " is named twice"));
  return descending;
}

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_AXIS_CUT_H_
