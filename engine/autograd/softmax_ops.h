// Softmax and its relatives over one axis, with gradients. Over the last axis
// they are one pass; over another the input is transposed to it and back.
// A negative axis counts from the end; aborts where x has no such axis.
// Order: kernels/softmax.h. Shard cuts: kept apart over any axis but the first.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_SOFTMAX_OPS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_SOFTMAX_OPS_H_

#include "engine/autograd/variable.h"

namespace lockstep::autograd {

// Of x * scale. Requires: an axis with at least one element.
Variable Softmax(const Variable& x, int axis = -1, float scale = 1);
// The logarithm of softmax, without its rounding to 0.
Variable LogSoftmax(const Variable& x, int axis = -1);
// The logarithm of the sum of exponentials; the axis disappears, or stays with
// extent 1 (keep_axis).
Variable LogSumExp(const Variable& x, int axis = -1, bool keep_axis = false);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_SOFTMAX_OPS_H_
