// The canonical scalar functions: fixed sequences of IEEE operations, so that
// every machine gives the same bits; libm differs from one to the next and
// stays out. The SIMD kernels compute the same float32 sequences; the server
// uses these for its own scalars (schedules, bias corrections).
#ifndef LOCKSTEP_ENGINE_KERNELS_TRANSCENDENTAL_H_
#define LOCKSTEP_ENGINE_KERNELS_TRANSCENDENTAL_H_

#include <cstdint>

namespace lockstep::kernels {

// float32, at most 2 ulp from the true value. Exp: +0 below -104, +Inf above
// 88.73; Log: -Inf of 0, NaN below 0; NaN in, NaN out.
float Exp(float x);
// The same for x <= 0 in half the steps, but +0 below -87.
float ExpBelowZero(float x);
float Log(float x);
// exp(x) - 1 and log(1 + x), to the same relative accuracy for small x.
float Expm1(float x);
float Log1p(float x);
float Tanh(float x);
float Sigmoid(float x);
// Of radians, however many; NaN of infinities.
float Sin(float x);
float Cos(float x);
// 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.
float Erf(float x);

// float32, for a >= 0, within 6e-8 of the true value (not relatively): Phi(a) -
// 1/2 and Phi(a) + a phi(a) - 1/2, Phi and phi the normal distribution and its
// density. With them gelu and its derivative for either sign, as both are odd.
float NormalAboveHalf(float a);
float GeluSlopeAboveHalf(float a);

// float64. base^exponent by binary powers, from the exponent's lowest bit up.
double PowerOfWhole(double base, uint64_t exponent);
// float64, relative error below 1e-14 where the result is normal: base^exponent
// for a positive, normal base: exp(exponent * log(base)) with polynomials of
// its own (docs/arithmetic.md).
double PowerOfPositive(double base, double exponent);
// float64, at most 2 ulp: cos(pi * x) for 0 <= x <= 1.
double CosPi(double x);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_TRANSCENDENTAL_H_
