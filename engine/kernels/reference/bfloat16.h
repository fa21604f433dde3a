// The definition of rounding to bfloat16, element by element, in the language of
// numbers rather than of bits: docs/arithmetic.md, "Gradients in bfloat16".
#ifndef LOCKSTEP_ENGINE_KERNELS_REFERENCE_BFLOAT16_H_
#define LOCKSTEP_ENGINE_KERNELS_REFERENCE_BFLOAT16_H_

#include <cmath>
#include <limits>

namespace lockstep::kernels::reference {

// The nearest number with 8 significant bits (fewer below 2^-126, down to
// 2^-133), ties to the one whose last bit is 0; infinity from
// 2^128 - 2^119 on; NaN stays NaN.
inline float RoundToBfloat16(float x) {
  if (!std::isfinite(x) || x == 0) return x;
  int exponent = 0;
  std::frexp(x, &exponent);  // |x| = m * 2^exponent, 1/2 <= m < 1
  const int last = exponent - 8 > -133 ? exponent - 8 : -133;
  // Exact in float64; nearbyint takes ties to even in the default mode.
  const double scaled = std::nearbyint(std::ldexp(static_cast<double>(x), -last));
  const double rounded = std::ldexp(scaled, last);
  if (std::fabs(rounded) >= std::ldexp(1.0, 128)) {
    return std::copysign(std::numeric_limits<float>::infinity(), x);
  }
  return std::copysign(static_cast<float>(rounded), x);
}

}  // namespace lockstep::kernels::reference

#endif  // LOCKSTEP_ENGINE_KERNELS_REFERENCE_BFLOAT16_H_
