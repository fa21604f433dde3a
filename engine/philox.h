// Random numbers without state: Philox4x32-10 maps a counter and a key to four
// words, so any machine can tell any random number of a job on its own, in any
// order. This is not a distribution library; who needs a range scales the
// uniform values here by a formula of their own.
//
// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011; constants and test vectors of Random123.
#ifndef LOCKSTEP_ENGINE_PHILOX_H_
#define LOCKSTEP_ENGINE_PHILOX_H_

#include <array>
#include <cstdint>

#include "absl/types/span.h"

namespace lockstep {

// What a random number is for. Numbers of two streams never share a counter.
// The values are part of every trained model's bits: they never change.
enum class RandomStream : uint32_t {
  kInitialValues = 1,
  kExampleOrder = 2,
  kValidationSplit = 3,
  kDropout = 4,
  kTextSampling = 5,
  // Not of the model: which shards are computed twice, and what is broken on purpose.
  kAudit = 20,
  kFaultInjection = 21,
};

// The Philox4x32-10 block function.
std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// The random word at a place. Four consecutive elements (4i to 4i + 3) share
// one block, of which they are the words 0 to 3.
//
// The counter's 128 bits, from word 0, bit 0 upwards:
//   word 0          element / 4, bits 0-31
//   word 1          example, bits 0-31
//   word 2          step, bits 0-31
//   word 3  0-7     element / 4, bits 32-39
//           8-15    example, bits 32-39
//           16-27   step, bits 32-43
//           28-31   stream
// The key's words are the key's low and high half.
// Requires: element < 2^42, example < 2^40, step < 2^44 (higher bits are not
// looked at).
uint32_t RandomWord(uint64_t key, RandomStream stream, uint64_t step, uint64_t example,
                    uint64_t element);

// A multiple of 2^-24 in [0, 1), exact.
inline float UniformFloat(uint32_t word) {
  return static_cast<float>(word >> 8) * (1.0f / 16777216.0f);
}

// out[i] = UniformFloat(RandomWord(key, stream, step, example, first_element + i)),
// at the price of one block for four values.
void FillUniform(uint64_t key, RandomStream stream, uint64_t step, uint64_t example,
                 uint64_t first_element, absl::Span<float> out);

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_PHILOX_H_
