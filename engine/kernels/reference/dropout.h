// The definition of dropout.h, one element after another. With T = float the
// fast kernel is equal to it in every bit; with T = double it is what computes.
#ifndef LOCKSTEP_ENGINE_KERNELS_REFERENCE_DROPOUT_H_
#define LOCKSTEP_ENGINE_KERNELS_REFERENCE_DROPOUT_H_

#include <cstdint>

#include "engine/kernels/dropout.h"
#include "engine/philox.h"

namespace lockstep::kernels::reference {

template <class T>
void Dropout(const DropoutPlace& place, int64_t examples, int64_t size, float probability,
             const T* x, T* y) {
  const T scale = T{1} / (T{1} - static_cast<T>(probability));
  for (int64_t r = 0; r < examples; ++r) {
    for (int64_t e = 0; e < size; ++e) {
      const uint32_t word = RandomWord(place.key, RandomStream::kDropout, place.step,
                                       place.first_example + r, (place.layer << 32) + e);
      const bool kept = UniformFloat(word) >= probability;
      y[r * size + e] = kept ? x[r * size + e] * scale : T{0};
    }
  }
}

}  // namespace lockstep::kernels::reference

#endif  // LOCKSTEP_ENGINE_KERNELS_REFERENCE_DROPOUT_H_
