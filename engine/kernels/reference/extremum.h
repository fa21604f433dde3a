// The definition of extremum.h, one element after another.
#ifndef LOCKSTEP_ENGINE_KERNELS_REFERENCE_EXTREMUM_H_
#define LOCKSTEP_ENGINE_KERNELS_REFERENCE_EXTREMUM_H_

#include <cstdint>

#include "engine/kernels/extremum.h"

namespace lockstep::kernels::reference {

template <class T>
bool Exceeds(ExtremumOp op, T x, T best) {
  if (x != x) return best == best;
  return op == ExtremumOp::kMaximum ? x > best : x < best;
}

template <class T>
void Extremum(ExtremumOp op, int64_t before, int64_t extent, int64_t after, const T* x, T* values,
              int64_t* indices) {
  for (int64_t b = 0; b < before; ++b) {
    for (int64_t a = 0; a < after; ++a) {
      const T* from = x + b * extent * after + a;
      int64_t best = 0;
      for (int64_t i = 1; i < extent; ++i) {
        if (Exceeds(op, from[i * after], from[best * after])) best = i;
      }
      values[b * after + a] = from[best * after];
      indices[b * after + a] = best;
    }
  }
}

template <class T>
void ExtremumBackward(int64_t before, int64_t extent, int64_t after, const T* dy,
                      const int64_t* indices, T* dx) {
  for (int64_t b = 0; b < before; ++b) {
    for (int64_t i = 0; i < extent; ++i) {
      for (int64_t a = 0; a < after; ++a) {
        const int64_t at = b * after + a;
        dx[(b * extent + i) * after + a] = i == indices[at] ? dy[at] : T{0};
      }
    }
  }
}

}  // namespace lockstep::kernels::reference

#endif  // LOCKSTEP_ENGINE_KERNELS_REFERENCE_EXTREMUM_H_
