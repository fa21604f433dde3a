// Mathematical functions, element by element. With two operands they broadcast
// as arithmetic_ops.h does.
// Order: results by kernels/elementwise.h; gradients are chains of the same
// kernels, from left to right as written here, y being the result.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_MATH_OPS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_MATH_OPS_H_

#include <limits>

#include "engine/autograd/variable.h"

namespace lockstep::autograd {

Variable Abs(const Variable& x);    // dy * sign(x): 0 at 0
Variable Sqrt(const Variable& x);   // (dy * 0.5) / y
Variable Rsqrt(const Variable& x);  // 1 / sqrt(x); (dy * y^3) * -0.5
Variable Sin(const Variable& x);    // dy * cos(x)
Variable Cos(const Variable& x);    // -(dy * sin(x))
Variable Erf(const Variable& x);    // dy * (exp(-(x * x)) * (2 / sqrt(pi)))
Variable Expm1(const Variable& x);  // exp(x) - 1; dy * (y + 1)
Variable Log1p(const Variable& x);  // log(1 + x); dy / (x + 1)

// a^b. Gradients: dy * (b * a^(b - 1)), 0 where b is 0; dy * (y * log(a)), 0
// where a is 0 and b is not below 0. For exponents that are one number take
// Power of arithmetic_ops.h, which is faster and more exact.
Variable Pow(const Variable& a, const Variable& b);

// The gradient goes to the operand that is taken; half to each where they are equal.
Variable Maximum(const Variable& a, const Variable& b);
Variable Minimum(const Variable& a, const Variable& b);

// x brought between `least` and `most`; the gradient is dy for least <= x <=
// most, else 0. NaN stays. Order: kernels/activation.h, kClamp.
Variable Clamp(const Variable& x, double least,
               double most = std::numeric_limits<double>::infinity());

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_MATH_OPS_H_
