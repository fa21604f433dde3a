// Sums, means and spreads over several axes at once.
// Axes: negative ones count from the end; each at most once. They disappear, or
// stay with extent 1 (keep_axes). Aborts where x has no such axis.
// Shard cuts: axis 0 is not kept apart.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_STATISTICS_OPS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_STATISTICS_OPS_H_

#include "absl/types/span.h"
#include "engine/autograd/variable.h"

namespace lockstep::autograd {

// Order: SumOverAxis (reduction_ops.h) of one axis after the other, from the last
// to the first; Mean divides once, by the product of their extents.
Variable Sum(const Variable& x, absl::Span<const int> axes, bool keep_axes = false);
Variable Mean(const Variable& x, absl::Span<const int> axes, bool keep_axes = false);

// The mean squared distance from the mean, n being the number of elements:
// Order: d = x - Mean(x); Sum(d * d) / (n - 1), or / n where not `unbiased`.
// NaN where the divisor is 0.
Variable Var(const Variable& x, absl::Span<const int> axes, bool unbiased = true,
             bool keep_axes = false);
// Over all elements, unbiased.
Variable Var(const Variable& x);
// sqrt(Var).
Variable Std(const Variable& x, absl::Span<const int> axes, bool unbiased = true,
             bool keep_axes = false);
Variable Std(const Variable& x);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_STATISTICS_OPS_H_
