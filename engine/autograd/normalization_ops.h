// Activations brought to mean 0 and variance 1, with gradients.
//
// Shapes that do not fit abort with both named. Shard cuts are kept apart.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_NORMALIZATION_OPS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_NORMALIZATION_OPS_H_

#include "engine/autograd/variable.h"
#include "engine/shape.h"

namespace lockstep::autograd {

// Over the last axes, which have the shape `normalized_shape`.
// Shapes: x [..., normalized_shape]; weight, bias: normalized_shape, either may
// be undefined; result as x. Order: kernels::LayerNorm.
Variable LayerNorm(const Variable& x, const Shape& normalized_shape, const Variable& weight,
                   const Variable& bias, double epsilon = 1e-5);

// The same by the root of the mean square alone. Order: kernels::RmsNorm.
Variable RmsNorm(const Variable& x, const Shape& normalized_shape, const Variable& weight,
                 double epsilon);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_NORMALIZATION_OPS_H_
