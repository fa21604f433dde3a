// A cache of freed memory by size, for block_pool.h alone.
#ifndef LOCKSTEP_ENGINE_LARGE_BLOCKS_H_
#define LOCKSTEP_ENGINE_LARGE_BLOCKS_H_

#include <array>
#include <cstddef>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace lockstep {

// Threads: any.
class LargeBlocks {
 public:
  // Every block begins at a multiple of it.
  static constexpr std::size_t kAlignment = 64;

  // `keep`: false, blocks given go back to the system at once, and have no byte
  // more than was asked for.
  explicit LargeBlocks(bool keep) : keep_(keep) {}
  ~LargeBlocks() { Release(); }
  LargeBlocks(const LargeBlocks&) = delete;
  LargeBlocks& operator=(const LargeBlocks&) = delete;

  // Uninitialised; at most a quarter larger than what was asked for (256 bytes
  // at the least). Where memory is short, the kept blocks go back to the system
  // first. Aborts when it is exhausted.
  void* Take(std::size_t size_bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  // `size_bytes` as it was asked for.
  void Give(void* block, std::size_t size_bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  // Gives all kept blocks back to the system.
  void Release() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Size classes: four to each doubling (1, 1.25, 1.5, 1.75 times a power of two).
  static constexpr int kClassesPerDoubling = 4;
  static constexpr int kDoublings = 48;  // more than any machine's address space
  struct SizeClass {
    int index;
    std::size_t capacity_bytes;
  };
  static SizeClass ClassFor(std::size_t size_bytes);

  const bool keep_;
  absl::Mutex mutex_;
  std::array<std::vector<void*>, (kDoublings + 2) * kClassesPerDoubling> free_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_LARGE_BLOCKS_H_
