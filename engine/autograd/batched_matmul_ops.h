// Products of many matrices at once, with gradients.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_BATCHED_MATMUL_OPS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_BATCHED_MATMUL_OPS_H_

#include "engine/autograd/variable.h"

namespace lockstep::autograd {

// Which operands a product takes transposed, in their last two axes. Nothing is
// copied for it, and the bits are those of the transposed operand.
struct MatmulTransposes {
  bool a = false;
  bool b = false;
};

// As torch.matmul for operands of two axes or more: a [..., m, k], b [..., k, n],
// result [..., m, n], a stored as [..., k, m] and b as [..., n, k] where they are
// taken transposed; leading axes broadcast. Aborts, naming both shapes, where they
// do not fit.
// Order: each product as kernels::Matmul, also for the gradients. The gradient
// of a b [k, n] that all products share is one product over all rows of a, cut
// into the shard tree; that of another repeated operand is SumToShape's of the
// products' own (reduction_ops.h).
Variable BatchMatmul(const Variable& a, const Variable& b, MatmulTransposes transposes = {});

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_BATCHED_MATMUL_OPS_H_
