// Functions between a network's layers, element by element.
// Order: kernels/elementwise.h; gradients from the result y.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_ACTIVATION_OPS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_ACTIVATION_OPS_H_

#include "engine/autograd/variable.h"

namespace lockstep::autograd {

// max(x, 0); the gradient at 0 is 0.
Variable Relu(const Variable& x);
Variable Tanh(const Variable& x);
// 1 / (1 + exp(-x)).
Variable Sigmoid(const Variable& x);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_ACTIVATION_OPS_H_
