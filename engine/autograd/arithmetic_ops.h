// Element by element, with NumPy's broadcasting: shapes are aligned at their
// last axes, and an axis of extent 1 (or absent) is repeated. Aborts, naming
// both shapes, where they do not fit.
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
Variable Power(const Variable& x, float exponent);
Variable Exp(const Variable& x);
// Natural logarithm.
Variable Log(const Variable& x);

inline Variable operator+(const Variable& a, const Variable& b) { return Add(a, b); }
inline Variable operator-(const Variable& a, const Variable& b) { return Subtract(a, b); }
inline Variable operator*(const Variable& a, const Variable& b) { return Multiply(a, b); }
inline Variable operator/(const Variable& a, const Variable& b) { return Divide(a, b); }
inline Variable operator-(const Variable& x) { return Negate(x); }

// A number on either side.
inline Variable operator+(const Variable& a, float b) { return Add(a, Variable(b)); }
inline Variable operator-(const Variable& a, float b) { return Subtract(a, Variable(b)); }
inline Variable operator*(const Variable& a, float b) { return Multiply(a, Variable(b)); }
inline Variable operator/(const Variable& a, float b) { return Divide(a, Variable(b)); }
inline Variable operator+(float a, const Variable& b) { return Add(Variable(a), b); }
inline Variable operator-(float a, const Variable& b) { return Subtract(Variable(a), b); }
inline Variable operator*(float a, const Variable& b) { return Multiply(Variable(a), b); }
inline Variable operator/(float a, const Variable& b) { return Divide(Variable(a), b); }

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_ARITHMETIC_OPS_H_
