// Element by element, with NumPy's broadcasting: shapes are aligned at their
// last axes, and an axis of extent 1 (or absent) is repeated. Aborts, naming
// both shapes, where they do not fit, and both dtypes where they differ.
//
// Order: each element is one IEEE operation (kernels/elementwise.h). The
// gradient of a repeated input is summed over the repeats by SumToShape
// (reduction_ops.h); over the batch axis by the shard tree (ShardCuts).
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_ARITHMETIC_OPS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_ARITHMETIC_OPS_H_

#include "engine/autograd/variable.h"

namespace lockstep::autograd {

Variable Add(const Variable& a, const Variable& b);
Variable Subtract(const Variable& a, const Variable& b);
Variable Multiply(const Variable& a, const Variable& b);
Variable Divide(const Variable& a, const Variable& b);
Variable Negate(const Variable& x);

// x^exponent; gradient exponent * x^(exponent - 1), 0 for exponent 0.
// Order: kernels::Power.
Variable Power(const Variable& x, double exponent);
Variable Exp(const Variable& x);
// Natural logarithm.
Variable Log(const Variable& x);

inline Variable operator+(const Variable& a, const Variable& b) { return Add(a, b); }
inline Variable operator-(const Variable& a, const Variable& b) { return Subtract(a, b); }
inline Variable operator*(const Variable& a, const Variable& b) { return Multiply(a, b); }
inline Variable operator/(const Variable& a, const Variable& b) { return Divide(a, b); }
inline Variable operator-(const Variable& x) { return Negate(x); }

// A number on either side, rounded to the variable's dtype.
inline Variable ScalarLike(double value, const Variable& x) {
  return Variable(Tensor::Scalar(value, x.dtype()));
}
inline Variable operator+(const Variable& a, double b) { return Add(a, ScalarLike(b, a)); }
inline Variable operator+(double a, const Variable& b) { return Add(ScalarLike(a, b), b); }
inline Variable operator-(const Variable& a, double b) { return Subtract(a, ScalarLike(b, a)); }
inline Variable operator-(double a, const Variable& b) { return Subtract(ScalarLike(a, b), b); }
inline Variable operator*(const Variable& a, double b) { return Multiply(a, ScalarLike(b, a)); }
inline Variable operator*(double a, const Variable& b) { return Multiply(ScalarLike(a, b), b); }
inline Variable operator/(const Variable& a, double b) { return Divide(a, ScalarLike(b, a)); }
inline Variable operator/(double a, const Variable& b) { return Divide(ScalarLike(a, b), b); }

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_ARITHMETIC_OPS_H_
