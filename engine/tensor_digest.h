// A quick digest of a tensor's bits, to find where two runs part: 64 bits, at
// about the speed of memory. Not against who wants to deceive: that is SHA-256's.
#ifndef LOCKSTEP_ENGINE_TENSOR_DIGEST_H_
#define LOCKSTEP_ENGINE_TENSOR_DIGEST_H_

#include <cstdint>

#include "absl/types/span.h"

namespace lockstep {

// Equal bits give equal digests on any machine; spans that differ in one
// element, or in their length, give different ones, any others with a chance of
// 1 - 2^-64 or so. +0 and -0 differ, and so do NaNs of different bits.
// Order: eight lanes, lane i over the 8-byte words i, i + 8, ... of the
// elements' little-endian bytes, zeros after the last:
//   lane = rotate_left(lane ^ word, 29) * 0x9e3779b97f4a7c15, from i + 1;
//   lane = lane ^ (lane >> 32);
// then from the number of elements, for i = 0 to 7:
//   digest = MixDigests(digest, lane i).
uint64_t DigestOf(absl::Span<const float> values);

// One of both, in this order: what a digest of several digests is made of.
//   h = rotate_left(a, 31) ^ b; h *= 0xff51afd7ed558ccd; h ^ (h >> 33)
uint64_t MixDigests(uint64_t a, uint64_t b);

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_TENSOR_DIGEST_H_
