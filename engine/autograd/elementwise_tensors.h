// Elementwise computation on tensors with broadcasting: what the operations'
// results and gradients are made of. Tensors are float32 or float64, all of a
// call of one dtype. Order: kernels/elementwise.h.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_ELEMENTWISE_TENSORS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_ELEMENTWISE_TENSORS_H_

#include "engine/kernels/elementwise.h"
#include "engine/tensor.h"

namespace lockstep::autograd {

// `out` has the broadcast shape; it may be the memory of an operand of that shape.
void Compute(kernels::BinaryOp op, const Tensor& a, const Tensor& b, Tensor out);
// Into memory of its own. Aborts where shapes or dtypes do not fit, naming both.
Tensor Compute(const char* name, kernels::BinaryOp op, const Tensor& a, const Tensor& b);
Tensor Compute(kernels::UnaryOp op, const Tensor& x);
Tensor Scaled(const Tensor& x, double scale);
// x^exponent. Order: kernels::Power.
Tensor PowerOf(const Tensor& x, double exponent);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_ELEMENTWISE_TENSORS_H_
