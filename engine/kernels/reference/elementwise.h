// The definition of elementwise.h, one element after another. With T = float
// the fast kernels are equal to it in every bit (but for a NaN's sign and
// payload, which IEEE-754 leaves open); with T = double it is what computes.
#ifndef LOCKSTEP_ENGINE_KERNELS_REFERENCE_ELEMENTWISE_H_
#define LOCKSTEP_ENGINE_KERNELS_REFERENCE_ELEMENTWISE_H_

#include <cmath>
#include <cstdint>
#include <limits>

#include "engine/kernels/elementwise.h"
#include "engine/kernels/reference/transcendental.h"

namespace lockstep::kernels::reference {

template <class T>
T Apply(UnaryOp op, T x) {
  switch (op) {
    case UnaryOp::kNegate:
      return -x;
    case UnaryOp::kAbsolute:
      return std::fabs(x);
    case UnaryOp::kSquare:
      return x * x;
    case UnaryOp::kSquareRoot:
      return std::sqrt(x);
    case UnaryOp::kReciprocalSquareRoot:
      return 1 / std::sqrt(x);
    case UnaryOp::kSign:
      return x > 0 ? T{1} : x < 0 ? T{-1} : x;
    case UnaryOp::kExp:
      return Exp(x);
    case UnaryOp::kExpm1:
      return Expm1(x);
    case UnaryOp::kLog:
      return Log(x);
    case UnaryOp::kLog1p:
      return Log1p(x);
    case UnaryOp::kSin:
      return Sin(x);
    case UnaryOp::kCos:
      return Cos(x);
    case UnaryOp::kErf:
      return Erf(x);
    case UnaryOp::kTanh:
      return Tanh(x);
    case UnaryOp::kSigmoid:
      return Sigmoid(x);
    case UnaryOp::kRelu:
      return x <= 0 ? T{0} : x;
  }
  return x;
}

template <class T>
T PowerOfPair(T a, T b) {
  if (b == 0) return 1;
  const T power = Exp(b * Log(std::fabs(a)));
  if (!(a < 0)) return power;
  if (b != std::floor(b)) return std::numeric_limits<T>::quiet_NaN();
  const T half = b * T{0.5};
  return half != std::floor(half) ? -power : power;
}

template <class T>
T Apply(BinaryOp op, T a, T b) {
  switch (op) {
    case BinaryOp::kAdd:
      return a + b;
    case BinaryOp::kSubtract:
      return a - b;
    case BinaryOp::kMultiply:
      return a * b;
    case BinaryOp::kDivide:
      return a / b;
    case BinaryOp::kMaximum:
      return a > b || a != a ? a : b;
    case BinaryOp::kMinimum:
      return a < b || a != a ? a : b;
    case BinaryOp::kEqual:
      return a == b;
    case BinaryOp::kNotEqual:
      return a != b;
    case BinaryOp::kLess:
      return a < b;
    case BinaryOp::kLessEqual:
      return a <= b;
    case BinaryOp::kGreater:
      return a > b;
    case BinaryOp::kGreaterEqual:
      return a >= b;
    case BinaryOp::kPower:
      return PowerOfPair(a, b);
  }
  return a;
}

template <class T>
T Apply(ActivationGradient op, T dy, T y) {
  switch (op) {
    case ActivationGradient::kRelu:
      return y <= 0 ? T{0} : dy;
    case ActivationGradient::kTanh:
      return dy * std::fma(-y, y, T{1});
    case ActivationGradient::kSigmoid:
      return (dy * y) * (1 - y);
  }
  return dy;
}

template <class T>
T PowerOf(T x, T exponent) {
  if (exponent == T{0.5}) return std::sqrt(x);
  if (exponent < -64 || exponent > 64 || exponent != std::floor(exponent)) {
    return Exp(exponent * Log(x));
  }
  T product = 1;
  for (int left = static_cast<int>(std::fabs(exponent)); left != 0; left /= 2) {
    if (left % 2 == 1) product = product * x;
    x = x * x;
  }
  return exponent < 0 ? 1 / product : product;
}

template <class T>
void Unary(UnaryOp op, int64_t size, const T* x, T* out) {
  for (int64_t i = 0; i < size; ++i) out[i] = Apply(op, x[i]);
}

template <class T>
void Binary(BinaryOp op, int64_t size, const T* a, const T* b, T* out) {
  for (int64_t i = 0; i < size; ++i) out[i] = Apply(op, a[i], b[i]);
}

template <class T>
void BinaryScalarRight(BinaryOp op, int64_t size, const T* a, T s, T* out) {
  for (int64_t i = 0; i < size; ++i) out[i] = Apply(op, a[i], s);
}

template <class T>
void BinaryScalarLeft(BinaryOp op, int64_t size, T s, const T* b, T* out) {
  for (int64_t i = 0; i < size; ++i) out[i] = Apply(op, s, b[i]);
}

template <class T>
void BinaryRow(BinaryOp op, int64_t rows, int64_t columns, const T* a, const T* row, T* out) {
  for (int64_t i = 0; i < rows * columns; ++i) out[i] = Apply(op, a[i], row[i % columns]);
}

template <class T>
void BinaryColumn(BinaryOp op, int64_t rows, int64_t columns, const T* a, const T* column, T* out) {
  for (int64_t i = 0; i < rows * columns; ++i) out[i] = Apply(op, a[i], column[i / columns]);
}

template <class T>
void Select(int64_t size, const T* condition, const T* a, bool a_repeats, const T* b,
            bool b_repeats, T* out) {
  for (int64_t i = 0; i < size; ++i) {
    out[i] = condition[i] != 0 ? a[a_repeats ? 0 : i] : b[b_repeats ? 0 : i];
  }
}

template <class T>
void ActivationBackward(ActivationGradient op, int64_t size, const T* dy, const T* y, T* out) {
  for (int64_t i = 0; i < size; ++i) out[i] = Apply(op, dy[i], y[i]);
}

template <class T>
void Power(int64_t size, const T* x, T exponent, T* out) {
  for (int64_t i = 0; i < size; ++i) out[i] = PowerOf(x[i], exponent);
}

}  // namespace lockstep::kernels::reference

#endif  // LOCKSTEP_ENGINE_KERNELS_REFERENCE_ELEMENTWISE_H_
