// Functions between layers whose gradient is taken from their argument x, each
// in one pass over memory forward and one backward. (relu, tanh and sigmoid,
// whose gradient is taken from the result, are in elementwise.h.)
// Sizes are in elements; an output may be the same memory as an input, but must
// not overlap it otherwise.
// Order: each element by itself, as written here; the constants are rounded to
// float32 first.
#ifndef LOCKSTEP_ENGINE_KERNELS_ACTIVATION_H_
#define LOCKSTEP_ENGINE_KERNELS_ACTIVATION_H_

#include <cstdint>

namespace lockstep::kernels {

// With constants c and d; normal and gelu_slope are transcendental.h's
// NormalAboveHalf and GeluSlopeAboveHalf:
//                y                                   dx
//   kGelu        a = |x|                             dy * (0.5 + gelu_slope(a) with x's sign)
//                fma(a, normal(a), 0.5 * x)
//   kGeluTanh    h = 0.5 * x                         q = x * x;  t = as for y
//                t = tanh(x * fma(G3, x * x, G1))    slope = fma(3 * G3, q, G1)
//                fma(h, t, h)                        dy * fma((0.5 * x) * fma(-t, t, 1), slope,
//                                                             fma(0.5, t, 0.5))
//   kSilu        x * sigmoid(x)                      s = sigmoid(x);  dy * (s * fma(x, 1 - s, 1))
//   kSoftplus    c * x > d ? x                       c * x > d ? dy : dy * sigmoid(c * x)
//                : log1p(exp(c * x)) / c
//   kLeakyRelu   x > 0 ? x : x * c                   x > 0 ? dy : dy * c
//   kElu         x > 0 ? x : c * expm1(x)            x > 0 ? dy : dy * (c * exp(x))
//   kHardtanh    x < c ? c : x > d ? d : x           x <= c or x >= d ? +0 : dy
//   kClamp       x < c ? c : x > d ? d : x           x < c or x > d ? +0 : dy
enum class ActivationFunction {
  kGelu,
  kGeluTanh,
  kSilu,
  kSoftplus,
  kLeakyRelu,
  kElu,
  kHardtanh,
  kClamp,
};

struct ActivationConstants {
  double c = 0;
  double d = 0;
};

// sqrt(2 / pi) and 0.044715 times it (Hendrycks and Gimpel, Gaussian Error Linear
// Units, 2016).
inline constexpr double kGeluTanhFirst = 0.79788456080286536;
inline constexpr double kGeluTanhThird = 0.035677408136300125;

// y[i] = f(x[i]).
void Activate(ActivationFunction f, ActivationConstants constants, int64_t size, const float* x,
              float* y);
// dx[i] = dy[i] * f'(x[i]).
void ActivateBackward(ActivationFunction f, ActivationConstants constants, int64_t size,
                      const float* dy, const float* x, float* dx);

// The same on float64, by plain loops.
void Activate(ActivationFunction f, ActivationConstants constants, int64_t size, const double* x,
              double* y);
void ActivateBackward(ActivationFunction f, ActivationConstants constants, int64_t size,
                      const double* dy, const double* x, double* dx);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_ACTIVATION_H_
