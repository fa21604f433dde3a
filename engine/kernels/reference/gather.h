// The definition of gather.h, one element after another.
#ifndef LOCKSTEP_ENGINE_KERNELS_REFERENCE_GATHER_H_
#define LOCKSTEP_ENGINE_KERNELS_REFERENCE_GATHER_H_

#include <cstdint>

#include "engine/kernels/gather.h"

namespace lockstep::kernels::reference {

template <class T>
void Gather(const GatherExtents& extents, const T* x, const int64_t* indices, T* y) {
  const auto [before, extent, after, count] = extents;
  for (int64_t b = 0; b < before; ++b) {
    for (int64_t j = 0; j < count; ++j) {
      for (int64_t a = 0; a < after; ++a) {
        const int64_t at = (b * count + j) * after + a;
        y[at] = x[(b * extent + indices[at]) * after + a];
      }
    }
  }
}

template <class T>
void ScatterAdd(const GatherExtents& extents, const T* dy, const int64_t* indices, T* dx) {
  const auto [before, extent, after, count] = extents;
  for (int64_t b = 0; b < before; ++b) {
    for (int64_t i = 0; i < extent; ++i) {
      for (int64_t a = 0; a < after; ++a) {
        T sum = 0;
        for (int64_t j = 0; j < count; ++j) {
          const int64_t at = (b * count + j) * after + a;
          if (indices[at] == i) sum += dy[at];
        }
        dx[(b * extent + i) * after + a] = sum;
      }
    }
  }
}

}  // namespace lockstep::kernels::reference

#endif  // LOCKSTEP_ENGINE_KERNELS_REFERENCE_GATHER_H_
