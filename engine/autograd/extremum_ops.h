// Greatest and least elements, and where they are. Of equal ones the first
// counts; NaN exceeds everything. Order: kernels/extremum.h.
// Aborts where x has no such axis or the axis has no elements.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_EXTREMUM_OPS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_EXTREMUM_OPS_H_

#include "absl/types/span.h"
#include "engine/autograd/variable.h"

namespace lockstep::autograd {

// Over one axis (a negative one counts from the end), which disappears or stays
// with extent 1. The gradient goes to the first extreme element alone. Shard
// cuts: axis 0 is not kept apart.
Variable Max(const Variable& x, int axis, bool keep_axis = false);
Variable Min(const Variable& x, int axis, bool keep_axis = false);
// Over several axes: one after the other, from the last to the first.
Variable Max(const Variable& x, absl::Span<const int> axes, bool keep_axes = false);
Variable Min(const Variable& x, absl::Span<const int> axes, bool keep_axes = false);
// Over all elements, as one row, to a scalar. Shard cuts: not kept apart.
Variable Max(const Variable& x);
Variable Min(const Variable& x);

// Positions along the axis, int64.
Tensor ArgMax(const Tensor& x, int axis, bool keep_axis = false);
Tensor ArgMin(const Tensor& x, int axis, bool keep_axis = false);
// Positions among the elements of several axes, counted row-major through the
// axes in x's order: for axes of extents 3 and 4, from 0 to 11.
Tensor ArgMax(const Tensor& x, absl::Span<const int> axes, bool keep_axes = false);
Tensor ArgMin(const Tensor& x, absl::Span<const int> axes, bool keep_axes = false);
// Among all elements; a scalar.
Tensor ArgMax(const Tensor& x);
Tensor ArgMin(const Tensor& x);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_EXTREMUM_OPS_H_
