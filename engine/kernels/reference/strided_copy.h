// The definition of strided_copy.h, one element after another.
#ifndef LOCKSTEP_ENGINE_KERNELS_REFERENCE_STRIDED_COPY_H_
#define LOCKSTEP_ENGINE_KERNELS_REFERENCE_STRIDED_COPY_H_

#include <cstdint>

#include "absl/types/span.h"

namespace lockstep::kernels::reference {

template <class T>
void StridedCopy(absl::Span<const int64_t> extents, const T* from,
                 absl::Span<const int64_t> from_strides, T* to,
                 absl::Span<const int64_t> to_strides) {
  if (extents.empty()) {
    *to = *from;
    return;
  }
  for (int64_t i = 0; i < extents[0]; ++i) {
    StridedCopy(extents.subspan(1), from + i * from_strides[0], from_strides.subspan(1),
                to + i * to_strides[0], to_strides.subspan(1));
  }
}

}  // namespace lockstep::kernels::reference

#endif  // LOCKSTEP_ENGINE_KERNELS_REFERENCE_STRIDED_COPY_H_
