// Sums and means with gradients.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_REDUCTION_OPS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_REDUCTION_OPS_H_

#include "engine/autograd/sum_tensors.h"
#include "engine/autograd/variable.h"

namespace lockstep::autograd {

// Over all elements, to a scalar. Order: as one row (kernels::SumRows); Mean
// divides the sum once by the number of elements (NaN where there are none).
// Shard cuts: not kept apart.
Variable Sum(const Variable& x);
Variable Mean(const Variable& x);

// Over one axis; a negative one counts from the end. The axis disappears, or
// stays with extent 1 (keep_axis). Aborts where x has no such axis.
// Order: SumOverAxis. Shard cuts: axis 0 is not kept apart.
Variable Sum(const Variable& x, int axis, bool keep_axis = false);
Variable Mean(const Variable& x, int axis, bool keep_axis = false);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_REDUCTION_OPS_H_
