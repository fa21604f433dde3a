// Functions between a network's layers, element by element.
// Order: kernels/elementwise.h for those whose gradient is taken from the result
// y; kernels/activation.h for those whose gradient is taken from x.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_ACTIVATION_OPS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_ACTIVATION_OPS_H_

#include "engine/autograd/variable.h"

namespace lockstep::autograd {

// max(x, 0); the gradient at 0 is 0.
Variable Relu(const Variable& x);
Variable Tanh(const Variable& x);
// 1 / (1 + exp(-x)).
Variable Sigmoid(const Variable& x);

// x Phi(x), Phi the normal distribution: exactly by erf, or by tanh as in
// Hendrycks and Gimpel, 2016.
Variable Gelu(const Variable& x);
Variable GeluTanh(const Variable& x);
// x sigmoid(x).
Variable Silu(const Variable& x);
// log(1 + exp(beta x)) / beta, and x itself where beta x > threshold.
Variable Softplus(const Variable& x, double beta = 1, double threshold = 20);
// x where it is above 0, negative_slope x elsewhere.
Variable LeakyRelu(const Variable& x, double negative_slope = 0.01);
// x where it is above 0, alpha (exp(x) - 1) elsewhere.
Variable Elu(const Variable& x, double alpha = 1);
// x brought between least and most; the gradient is 0 there and beyond.
Variable Hardtanh(const Variable& x, double least = -1, double most = 1);
// Hardtanh between 0 and 6.
Variable Relu6(const Variable& x);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_ACTIVATION_OPS_H_
