// When results are written around the caches: a line that is written whole need
// not be read first, which spares a third of the memory traffic of a copy. It
// pays for results that the caches could not keep for their reader anyway.
#ifndef LOCKSTEP_ENGINE_KERNELS_STREAMING_H_
#define LOCKSTEP_ENGINE_KERNELS_STREAMING_H_

#include <cstdint>

namespace lockstep::kernels {

// 8 MiB of one thread's results: what two of them write fills half of a last
// cache of 32 MiB, and with its operands more than all of it.
inline constexpr int64_t kStreamedElements = int64_t{1} << 21;

// Whether a run of `size` results at `out` should be streamed. Streaming stores
// want whole vectors at multiples of their length: at most 64 bytes. Results
// over their own operands are in the caches already: not for these.
inline bool ShouldStream(int64_t size, const float* out) {
  return size >= kStreamedElements && reinterpret_cast<uintptr_t>(out) % 64 == 0;
}

// The same for rows: each must begin at a multiple of 64 bytes.
inline bool ShouldStreamRows(int64_t rows, int64_t columns, const float* out) {
  return (rows == 1 || columns % 16 == 0) && ShouldStream(rows * columns, out);
}

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_STREAMING_H_
