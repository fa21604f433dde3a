// One result per element, by SIMD and OpenMP. Sizes are in elements; an output
// may be the same memory as an input, but must not overlap it otherwise.
// Order: each result is the one IEEE operation (or the named polynomial of
// transcendental.h) on its own element; no element sees another.
#ifndef LOCKSTEP_ENGINE_KERNELS_ELEMENTWISE_H_
#define LOCKSTEP_ENGINE_KERNELS_ELEMENTWISE_H_

#include <cstdint>

namespace lockstep::kernels {

enum class UnaryOp {
  kNegate,
  kAbsolute,
  kSquare,
  kSquareRoot,            // correctly rounded
  kReciprocalSquareRoot,  // 1 / square root: two roundings
  kSign,                  // 1, -1, or x itself where it is 0 or NaN
  kExp,
  kExpm1,
  kLog,
  kLog1p,
  kSin,
  kCos,
  kErf,
  kTanh,
  kSigmoid,
  kRelu,  // x <= 0 ? +0 : x, so NaN stays NaN
};
enum class BinaryOp {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kMaximum,  // a > b or a is NaN ? a : b, so NaN on either side stays
  kMinimum,  // a < b or a is NaN ? a : b
  // 1 where it holds, else +0. With a NaN only kNotEqual holds.
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  // a^b for any b: p = exp(b * log(|a|)), negated where a < 0 and b is odd; NaN
  // where a < 0 and b is not whole; 1 where b is 0. The rounding of b * log(|a|)
  // counts: relative error about 6e-8 (2 + |b log a|).
  kPower,
};

// Gradient of an activation from upstream dy and the forward result y.
enum class ActivationGradient {
  kRelu,     // y <= 0 ? +0 : dy
  kTanh,     // dy * fma(-y, y, 1)
  kSigmoid,  // (dy * y) * (1 - y)
};

// out[i] = op(x[i]).
void Unary(UnaryOp op, int64_t size, const float* x, float* out);
// out[i] = a[i] op b[i].
void Binary(BinaryOp op, int64_t size, const float* a, const float* b, float* out);
// out[i] = a[i] op s; and s op b[i].
void BinaryScalarRight(BinaryOp op, int64_t size, const float* a, float s, float* out);
void BinaryScalarLeft(BinaryOp op, int64_t size, float s, const float* b, float* out);
// out[r,c] = a[r,c] op row[c]; and a[r,c] op column[r].
void BinaryRow(BinaryOp op, int64_t rows, int64_t columns, const float* a, const float* row,
               float* out);
void BinaryColumn(BinaryOp op, int64_t rows, int64_t columns, const float* a, const float* column,
                  float* out);
// out[i] = condition[i] is not 0 ? a[i] : b[i]; a or b may be one number that
// repeats.
void Select(int64_t size, const float* condition, const float* a, bool a_repeats, const float* b,
            bool b_repeats, float* out);
// out[i] = gradient of the activation.
void ActivationBackward(ActivationGradient op, int64_t size, const float* dy, const float* y,
                        float* out);
// out[i] = x[i]^exponent: binary powers by repeated multiplication for whole
// exponents up to 64 in size (a negative one divides 1 by it), square root for
// 0.5, else exp(exponent * log(x)). Order: docs/arithmetic.md.
void Power(int64_t size, const float* x, float exponent, float* out);

// The same on float64, by plain loops.
void Unary(UnaryOp op, int64_t size, const double* x, double* out);
void Binary(BinaryOp op, int64_t size, const double* a, const double* b, double* out);
void BinaryScalarRight(BinaryOp op, int64_t size, const double* a, double s, double* out);
void BinaryScalarLeft(BinaryOp op, int64_t size, double s, const double* b, double* out);
void BinaryRow(BinaryOp op, int64_t rows, int64_t columns, const double* a, const double* row,
               double* out);
void BinaryColumn(BinaryOp op, int64_t rows, int64_t columns, const double* a, const double* column,
                  double* out);
void Select(int64_t size, const double* condition, const double* a, bool a_repeats, const double* b,
            bool b_repeats, double* out);
void ActivationBackward(ActivationGradient op, int64_t size, const double* dy, const double* y,
                        double* out);
void Power(int64_t size, const double* x, double exponent, double* out);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_ELEMENTWISE_H_
