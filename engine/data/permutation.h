// A keyed permutation of [0, size), computed for one position at a time: which
// example stands at position p of epoch e is known everywhere without a list.
//
// A balanced Feistel network over the least even number of bits that holds
// size - 1, walked along its cycle until it lands below `size`. Philox derives
// the keys of the rounds; a round itself is a cheap 64-bit mix (permutation.cc
// gives it exactly). The values are part of every trained model's bits.
#ifndef LOCKSTEP_ENGINE_DATA_PERMUTATION_H_
#define LOCKSTEP_ENGINE_DATA_PERMUTATION_H_

#include <array>
#include <cstdint>

#include "engine/philox.h"

namespace lockstep::data {

// A value type, 80 bytes; making one costs four Philox blocks.
// Threads: const calls from any thread.
class Permutation {
 public:
  // `key` is the job's seed, `epoch` chooses among the stream's permutations.
  // Requires: epoch < 2^44.
  Permutation(uint64_t size, uint64_t key, RandomStream stream, uint64_t epoch);

  uint64_t size() const { return size_; }
  // The value at `position`. On average less than four walks through the
  // network. Requires: position < size().
  uint64_t operator()(uint64_t position) const;

 private:
  static constexpr int kRounds = 8;

  uint64_t Encrypt(uint64_t value) const;

  uint64_t size_;
  int half_bits_;  // width of each half, 0 to 32
  std::array<uint64_t, kRounds> round_keys_;
};

}  // namespace lockstep::data

#endif  // LOCKSTEP_ENGINE_DATA_PERMUTATION_H_
