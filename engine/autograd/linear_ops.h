// Matrix products with gradients.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_LINEAR_OPS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_LINEAR_OPS_H_

#include "engine/autograd/batched_matmul_ops.h"
#include "engine/autograd/variable.h"
#include "engine/kernels/matmul.h"

namespace lockstep::autograd {

// Shapes: a [m, k], b [k, n], result [m, n], a stored as [k, m] and b as [n, k]
// where they are taken transposed; with more axes, BatchMatmul
// (batched_matmul_ops.h). Aborts, naming both shapes, where they do not fit.
// Order: kernels::Matmul, also for the gradients.
// Shard cuts: of two matrices not kept apart (either might hold examples).
Variable Matmul(const Variable& a, const Variable& b, MatmulTransposes transposes = {});

// activation(x W^T + b), as torch.nn.functional.linear.
// Shapes: x [..., in], weight [out, in], bias [out] or undefined, result
// [..., out]. Aborts, naming both shapes, where they do not fit.
// Order: kernels::Matmul; the gradients of weight and bias follow the shard
// tree over the rows of x (ShardCuts). The fused relu gives the bits of Relu.
Variable Linear(const Variable& x, const Variable& weight, const Variable& bias,
                kernels::Activation activation = kernels::Activation::kNone);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_LINEAR_OPS_H_
