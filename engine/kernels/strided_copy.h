// Elements taken from one layout to another: what permuting, slicing, joining,
// padding and repeating are made of. No arithmetic, so there is no order to keep.
#ifndef LOCKSTEP_ENGINE_KERNELS_STRIDED_COPY_H_
#define LOCKSTEP_ENGINE_KERNELS_STRIDED_COPY_H_

#include <cstdint>

#include "absl/types/span.h"

namespace lockstep::kernels {

// The element at index (i, j, ...) of an array of `extents` goes from
// from[i * from_strides[0] + j * from_strides[1] + ...] to the place that
// to_strides give. Strides count elements; one of 0 in `from` repeats.
// Requires: as many strides as extents; places in `to` that differ from one
// another and from all that is read.
// Threads: any thread; shares out the rows over OpenMP's.
void StridedCopy(absl::Span<const int64_t> extents, const float* from,
                 absl::Span<const int64_t> from_strides, float* to,
                 absl::Span<const int64_t> to_strides);
void StridedCopy(absl::Span<const int64_t> extents, const double* from,
                 absl::Span<const int64_t> from_strides, double* to,
                 absl::Span<const int64_t> to_strides);
void StridedCopy(absl::Span<const int64_t> extents, const int64_t* from,
                 absl::Span<const int64_t> from_strides, int64_t* to,
                 absl::Span<const int64_t> to_strides);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_STRIDED_COPY_H_
