// The transcendental functions that the twins use: for float the canonical
// ones, for double the C library's, as float64 is no part of the bit promise.
#ifndef LOCKSTEP_ENGINE_KERNELS_REFERENCE_TRANSCENDENTAL_H_
#define LOCKSTEP_ENGINE_KERNELS_REFERENCE_TRANSCENDENTAL_H_

#include <cmath>

#include "engine/kernels/transcendental.h"

namespace lockstep::kernels::reference {

using kernels::Cos;
using kernels::Erf;
using kernels::Exp;
using kernels::ExpBelowZero;
using kernels::Expm1;
using kernels::GeluSlopeAboveHalf;
using kernels::Log;
using kernels::Log1p;
using kernels::NormalAboveHalf;
using kernels::Sigmoid;
using kernels::Sin;
using kernels::Tanh;

inline double Cos(double x) { return std::cos(x); }
inline double Erf(double x) { return std::erf(x); }
inline double Exp(double x) { return std::exp(x); }
inline double ExpBelowZero(double x) { return std::exp(x); }
inline double Expm1(double x) { return std::expm1(x); }
inline double Log(double x) { return std::log(x); }
inline double Log1p(double x) { return std::log1p(x); }
inline double NormalAboveHalf(double a) { return 0.5 * std::erf(a * 0.70710678118654752); }
inline double GeluSlopeAboveHalf(double a) {
  return NormalAboveHalf(a) + a * std::exp(-0.5 * (a * a)) * 0.39894228040143268;
}
inline double Sigmoid(double x) {
  const double e = std::exp(-std::fabs(x));
  return (x < 0 ? e : 1) / (1 + e);
}
inline double Sin(double x) { return std::sin(x); }
inline double Tanh(double x) { return std::tanh(x); }

}  // namespace lockstep::kernels::reference

#endif  // LOCKSTEP_ENGINE_KERNELS_REFERENCE_TRANSCENDENTAL_H_
