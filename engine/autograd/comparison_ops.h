// Comparisons, and choosing by them. A mask is a tensor of its operands' dtype:
// 1 where the comparison holds, else 0; any number but 0 counts as true. Masks
// have no gradient. Operands broadcast as in arithmetic_ops.h.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_COMPARISON_OPS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_COMPARISON_OPS_H_

#include "engine/autograd/variable.h"

namespace lockstep::autograd {

// With a NaN only NotEqual holds.
Variable Equal(const Variable& a, const Variable& b);
Variable NotEqual(const Variable& a, const Variable& b);
Variable Less(const Variable& a, const Variable& b);
Variable LessEqual(const Variable& a, const Variable& b);
Variable Greater(const Variable& a, const Variable& b);
Variable GreaterEqual(const Variable& a, const Variable& b);

// a where `condition` is not 0, else b. The gradient goes to the one chosen; it
// is +0 for the other, whose value does not matter (NaN neither).
Variable Where(const Variable& condition, const Variable& a, const Variable& b);
// `value` where `mask` is not 0, else x: Where(mask, value, x).
Variable MaskedFill(const Variable& x, const Variable& mask, double value);

// ---- On tensors.

// Order: kernels::Select. `operation` begins the messages.
Tensor SelectTensor(const char* operation, const Tensor& condition, const Tensor& a,
                    const Tensor& b);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_COMPARISON_OPS_H_
