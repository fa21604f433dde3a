// The definition of activation.h, one element after another. With T = float the
// fast kernels are equal to it in every bit (but for a NaN's sign and payload);
// with T = double it is what computes.
#ifndef LOCKSTEP_ENGINE_KERNELS_REFERENCE_ACTIVATION_H_
#define LOCKSTEP_ENGINE_KERNELS_REFERENCE_ACTIVATION_H_

#include <cmath>
#include <cstdint>

#include "engine/kernels/activation.h"
#include "engine/kernels/reference/transcendental.h"

namespace lockstep::kernels::reference {

template <class T>
T GeluTanhInner(T x) {
  return Tanh(x * std::fma(static_cast<T>(kGeluTanhThird), x * x, static_cast<T>(kGeluTanhFirst)));
}

template <class T>
T Apply(ActivationFunction f, T c, T d, T x) {
  const T half = T{0.5} * x;
  switch (f) {
    case ActivationFunction::kGelu:
      return std::fma(std::fabs(x), NormalAboveHalf(std::fabs(x)), half);
    case ActivationFunction::kGeluTanh:
      return std::fma(half, GeluTanhInner(x), half);
    case ActivationFunction::kSilu:
      return x * Sigmoid(x);
    case ActivationFunction::kSoftplus:
      return c * x > d ? x : Log1p(Exp(c * x)) / c;
    case ActivationFunction::kLeakyRelu:
      return x > 0 ? x : x * c;
    case ActivationFunction::kElu:
      return x > 0 ? x : c * Expm1(x);
    case ActivationFunction::kHardtanh:
    case ActivationFunction::kClamp:
      return x < c ? c : x > d ? d : x;
  }
  return x;
}

template <class T>
T GeluGradient(T dy, T x) {
  return dy * (T{0.5} + std::copysign(GeluSlopeAboveHalf(std::fabs(x)), x));
}

template <class T>
T GeluTanhGradient(T dy, T x) {
  const T t = GeluTanhInner(x);
  const T third = static_cast<T>(kGeluTanhThird) * 3;
  const T slope = std::fma(third, x * x, static_cast<T>(kGeluTanhFirst));
  const T steep = (T{0.5} * x) * std::fma(-t, t, T{1});
  return dy * std::fma(steep, slope, std::fma(T{0.5}, t, T{0.5}));
}

template <class T>
T ApplyGradient(ActivationFunction f, T c, T d, T dy, T x) {
  switch (f) {
    case ActivationFunction::kGelu:
      return GeluGradient(dy, x);
    case ActivationFunction::kGeluTanh:
      return GeluTanhGradient(dy, x);
    case ActivationFunction::kSilu: {
      const T s = Sigmoid(x);
      return dy * (s * std::fma(x, T{1} - s, T{1}));
    }
    case ActivationFunction::kSoftplus:
      return c * x > d ? dy : dy * Sigmoid(c * x);
    case ActivationFunction::kLeakyRelu:
      return x > 0 ? dy : dy * c;
    case ActivationFunction::kElu:
      return x > 0 ? dy : dy * (c * Exp(x));
    case ActivationFunction::kHardtanh:
      return x <= c || x >= d ? T{0} : dy;
    case ActivationFunction::kClamp:
      return x < c || x > d ? T{0} : dy;
  }
  return dy;
}

template <class T>
void Activate(ActivationFunction f, ActivationConstants constants, int64_t size, const T* x, T* y) {
  const T c = static_cast<T>(constants.c);
  const T d = static_cast<T>(constants.d);
  for (int64_t i = 0; i < size; ++i) y[i] = Apply(f, c, d, x[i]);
}

template <class T>
void ActivateBackward(ActivationFunction f, ActivationConstants constants, int64_t size,
                      const T* dy, const T* x, T* dx) {
  const T c = static_cast<T>(constants.c);
  const T d = static_cast<T>(constants.d);
  for (int64_t i = 0; i < size; ++i) dx[i] = ApplyGradient(f, c, d, dy[i], x[i]);
}

}  // namespace lockstep::kernels::reference

#endif  // LOCKSTEP_ENGINE_KERNELS_REFERENCE_ACTIVATION_H_
