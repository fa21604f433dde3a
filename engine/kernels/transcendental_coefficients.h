// The numbers of the canonical exp, log, tanh, sin, cos, erf: one table for the
// scalar functions (transcendental.cc) and the vectors (transcendental-inl.h).
// Polynomials: highest power first. Source: Cephes' expf, logf, tanhf and sinf
// (S. L. Moshier, netlib.org/cephes), evaluated with fma; erf's are our own,
// by the Remez exchange.
#ifndef LOCKSTEP_ENGINE_KERNELS_TRANSCENDENTAL_COEFFICIENTS_H_
#define LOCKSTEP_ENGINE_KERNELS_TRANSCENDENTAL_COEFFICIENTS_H_

#include <cstdint>

namespace lockstep::kernels {

// ln 2 in two parts; the first has so few bits that n * kLn2High is exact.
inline constexpr float kLn2High = 0.693359375f;
inline constexpr float kLn2Low = -2.12194440e-4f;
inline constexpr float kLog2OfE = 1.44269504088896341f;

// Beyond these exp is surely +0 and +Inf; within them the exponent arithmetic holds.
inline constexpr float kExpLowest = -104.0f;
inline constexpr float kExpHighest = 89.0f;
// Above it exp(x) is a normal number.
inline constexpr float kExpBelowZeroLowest = -87.0f;
// Below it exp(x) - 1 rounds to -1.
inline constexpr float kExpm1Lowest = -20.0f;
// 1.5 * 2^23: added to a number below 2^22 in size it rounds it to a whole one,
// to nearest even, which then stands in the low bits.
inline constexpr float kRoundingShift = 12582912.0f;

// exp(r) = 1 + r + r^2 P(r), |r| <= ln(2) / 2.
inline constexpr float kExp[] = {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f,
                                 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};

// log(1 + f) = f - f^2 / 2 + f^3 P(f), sqrt(1/2) <= 1 + f < sqrt(2).
inline constexpr float kLog[] = {7.0376836292e-2f,  -1.1514610310e-1f, 1.1676998740e-1f,
                                 -1.2420140846e-1f, 1.4249322787e-1f,  -1.6668057665e-1f,
                                 2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f};
// The bits of sqrt(1/2), the least mantissa.
inline constexpr int32_t kSqrtHalfBits = 0x3f3504f3;
// Denormals are lifted by 2^23 first.
inline constexpr float kSmallestNormal = 1.17549435e-38f;
inline constexpr float kDenormalLift = 8388608.0f;
inline constexpr float kDenormalExponent = 23.0f;

// tanh(a) = a + a^3 P(a^2), 0 <= a < kTanhSmall.
inline constexpr float kTanh[] = {-5.70498872745e-3f, 2.06390887954e-2f, -5.37397155531e-2f,
                                  1.33314422036e-1f, -3.33332819422e-1f};
inline constexpr float kTanhSmall = 0.625f;

// pi / 2 in three parts, each the float32 nearest to what is left: 72 bits.
inline constexpr float kHalfPiHigh = 0x1.921fb6p+0f;
inline constexpr float kHalfPiMiddle = -0x1.777a5cp-25f;
inline constexpr float kHalfPiLow = -0x1.ee59dap-50f;
inline constexpr float kTwoOverPi = 0.636619772f;
// Beyond it the three parts are too short: the whole product with 2 / pi is taken.
inline constexpr float kLargestHalfPiMultiple = 131072.0f;
// sin(r) = r + r^3 P(r^2) and cos(r) = 1 + r^2 (r^2 P(r^2) - 1/2), |r| <= pi / 4.
inline constexpr float kSine[] = {-1.9515295891e-4f, 8.3321608736e-3f, -1.6666654611e-1f};
inline constexpr float kCosine[] = {2.443315711809948e-5f, -1.388731625493765e-3f,
                                    4.166664568298827e-2f};

// erf(a) = a + a P(a^2), 0 <= a < kErfSmall.
inline constexpr float kErfNear[] = {-7.641705307e-6f, 1.043179377e-4f,  -8.347800079e-4f,
                                     5.209904065e-3f,  -2.686074056e-2f, 1.128368812e-1f,
                                     -3.761263136e-1f, 1.283791662e-1f};
inline constexpr float kErfSmall = 1.25f;
// erf(a) = P(a - kErfMiddle), kErfSmall <= a <= kErfLargest; 1 beyond.
inline constexpr float kErfFar[] = {
    -8.447214628e-6f, 1.974819616e-5f,  5.928871875e-5f, -2.734379742e-4f, 2.899083213e-4f,
    5.62058849e-4f,   -2.819859863e-3f, 6.108704978e-3f, -8.615135085e-3f, 8.351799647e-3f,
    -5.446614972e-3f, 2.178183462e-3f,  9.995930662e-1f};
inline constexpr float kErfMiddle = 2.5f;
inline constexpr float kErfLargest = 3.925f;

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_TRANSCENDENTAL_COEFFICIENTS_H_
