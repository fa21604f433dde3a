// The transcendental functions that the twins use: for float the canonical
// ones, for double the C library's, as float64 is no part of the bit promise.
#ifndef LOCKSTEP_ENGINE_KERNELS_REFERENCE_TRANSCENDENTAL_H_
#define LOCKSTEP_ENGINE_KERNELS_REFERENCE_TRANSCENDENTAL_H_

#include <cmath>

#include "engine/kernels/transcendental.h"

namespace lockstep::kernels::reference {

using kernels::Exp;
using kernels::Log;
using kernels::Sigmoid;
using kernels::Tanh;

inline double Exp(double x) { return std::exp(x); }
inline double Log(double x) { return std::log(x); }
inline double Tanh(double x) { return std::tanh(x); }
inline double Sigmoid(double x) {
  const double e = std::exp(-std::fabs(x));
  return (x < 0 ? e : 1) / (1 + e);
}

}  // namespace lockstep::kernels::reference

#endif  // LOCKSTEP_ENGINE_KERNELS_REFERENCE_TRANSCENDENTAL_H_
