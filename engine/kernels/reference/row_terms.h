// The definition of a row's sum over terms, for the twins.
#ifndef LOCKSTEP_ENGINE_KERNELS_REFERENCE_ROW_TERMS_H_
#define LOCKSTEP_ENGINE_KERNELS_REFERENCE_ROW_TERMS_H_

#include <cstdint>

namespace lockstep::kernels::reference {

// 16 lanes start at +0; lane = add(i, lane) for element i on lane i mod 16,
// ascending; then the lanes fold 8, 4, 2, 1.
template <class T, class Add>
T SumTerms(int64_t size, const Add& add) {
  T lanes[16] = {};
  for (int64_t i = 0; i < size; ++i) lanes[i % 16] = add(i, lanes[i % 16]);
  for (int width = 8; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) lanes[i] = lanes[i] + lanes[i + width];
  }
  return lanes[0];
}

}  // namespace lockstep::kernels::reference

#endif  // LOCKSTEP_ENGINE_KERNELS_REFERENCE_ROW_TERMS_H_
