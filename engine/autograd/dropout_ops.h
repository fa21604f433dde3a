// Dropout with its gradient.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_DROPOUT_OPS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_DROPOUT_OPS_H_

#include "engine/autograd/variable.h"
#include "engine/kernels/dropout.h"

namespace lockstep::autograd {

// x [n, ...] with each element set to 0 with `probability`, else times 1 / (1 -
// probability). Row r draws for example place.first_example + r.
// Order: kernels::Dropout; the backward draws the same numbers again.
// Requires: 0 <= probability <= 1.
Variable Dropout(const Variable& x, float probability, const kernels::DropoutPlace& place);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_DROPOUT_OPS_H_
