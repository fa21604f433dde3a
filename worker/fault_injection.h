// A worker that is broken on purpose, so that audits have something to find:
// `lockstep-worker --corrupt-shard`. Never on by itself.
#ifndef LOCKSTEP_WORKER_FAULT_INJECTION_H_
#define LOCKSTEP_WORKER_FAULT_INJECTION_H_

#include <cstdint>
#include <cstring>

#include "engine/philox.h"
#include "engine/tensor.h"

namespace lockstep::worker {

struct FaultOptions {
  // Chance that a shard's sum is wrong, 0 to 1.
  double corrupt_shard = 0;
  uint64_t corrupt_seed = 0;
};

// Threads: one.
class FaultInjection {
 public:
  explicit FaultInjection(const FaultOptions& options) : options_(options) {}

  // Begins a node's sum: decides whether it is to be wrong, and in which of its
  // chunks. Each computation is a new throw of the dice, as with a machine whose
  // memory flips bits.
  void BeginNode(int shards, int chunks) {
    ++computations_;
    spoiled_chunk_ = -1;
    for (int i = 0; i < shards; ++i) {
      if (Word(i) < options_.corrupt_shard * 4294967296.0) {
        spoiled_chunk_ = static_cast<int>(Word(shards) % static_cast<uint32_t>(chunks));
      }
    }
  }
  // Whether the sum's chunk is to be sent wrong.
  bool Spoils(int chunk) const { return chunk == spoiled_chunk_; }
  // The chunk with one bit of one value flipped.
  Tensor Spoiled(const Tensor& values) const {
    Tensor spoiled = values.Clone();
    float* const value =
        spoiled.data<float>() + Word(1 << 20) % static_cast<uint32_t>(spoiled.element_count());
    uint32_t bits = 0;
    std::memcpy(&bits, value, sizeof(bits));
    bits ^= uint32_t{1} << Word(1 << 21) % 32;
    std::memcpy(value, &bits, sizeof(bits));
    return spoiled;
  }

 private:
  uint32_t Word(int element) const {
    return RandomWord(options_.corrupt_seed, RandomStream::kFaultInjection, 0, computations_,
                      static_cast<uint64_t>(element));
  }

  const FaultOptions options_;
  uint64_t computations_ = 0;
  int spoiled_chunk_ = -1;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_FAULT_INJECTION_H_
