// Gradients with 8 significant bits: rounding, the tree's addition with
// rounding, and the two bytes that travel. Numbers stay float32 in memory.
// Order: docs/arithmetic.md, "Gradients in bfloat16"; one element after
// another, so every cut gives the same bits. Threads: any, on disjoint spans.
#ifndef LOCKSTEP_ENGINE_KERNELS_BFLOAT16_H_
#define LOCKSTEP_ENGINE_KERNELS_BFLOAT16_H_

#include "absl/types/span.h"

namespace lockstep::kernels {

// values = round(values)
void RoundToBfloat16(absl::Span<float> values);
// sum = round(sum + other). Requires: equal sizes.
void AddRoundedInPlace(absl::Span<float> sum, absl::Span<const float> other);

// The upper two bytes of each value, little-endian, one after another.
// Requires: room for 2 bytes each; values that rounding would not change.
void PackBfloat16(absl::Span<const float> values, void* bytes);
// The reverse: the lower two bytes are zero.
void UnpackBfloat16(const void* bytes, absl::Span<float> values);

// Whether all are +0, so that nothing need travel.
bool AreAllZero(absl::Span<const float> values);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_BFLOAT16_H_
