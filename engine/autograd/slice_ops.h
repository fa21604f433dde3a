// Parts of a tensor, and tensors put together. All are copies.
//
// Shard cuts: along the first axis of a batch, examples come to lie at other
// places, so shards are not kept apart; along other axes, and of parameters, they are.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_SLICE_OPS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_SLICE_OPS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/autograd/variable.h"

namespace lockstep::autograd {

// Elements begin, begin + step, ... before `end` along an axis, as Python's
// x[begin:end:step]: negative numbers count from the end, and what lies outside
// of the axis is left out. Requires: step > 0.
Variable Slice(const Variable& x, int axis, int64_t begin, int64_t end, int64_t step = 1);
// One index of an axis, which disappears; a negative one counts from the end.
// Aborts where there is none.
Variable Select(const Variable& x, int axis, int64_t index);

// Parts along an axis, one after another, of these extents. Aborts unless they
// add up to the axis.
std::vector<Variable> Split(const Variable& x, absl::Span<const int64_t> extents, int axis = 0);
// Parts of `extent` each; the last may be smaller. Requires: extent > 0.
std::vector<Variable> Split(const Variable& x, int64_t extent, int axis = 0);

// One after another along an axis. Requires: at least one. Aborts, naming both
// shapes, where they differ along another axis.
Variable Concat(absl::Span<const Variable> parts, int axis = 0);
// Along a new axis. Requires: at least one, all of one shape.
Variable Stack(absl::Span<const Variable> parts, int axis = 0);

// How many elements are added to an axis.
struct AxisPadding {
  int64_t before = 0;
  int64_t after = 0;
};
// `value` around x: paddings are those of the last axes, in the axes' order.
// Requires: none is negative.
Variable Pad(const Variable& x, absl::Span<const AxisPadding> paddings, double value = 0);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_SLICE_OPS_H_
