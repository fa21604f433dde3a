// Small blocks of memory for what comes and goes with every operation (graph
// nodes, handles): each thread keeps the blocks that it freed for its next ones.
#ifndef LOCKSTEP_ENGINE_BLOCK_POOL_H_
#define LOCKSTEP_ENGINE_BLOCK_POOL_H_

#include <cstddef>

namespace lockstep {

// Larger blocks come from the heap.
inline constexpr std::size_t kLargestPooledBytes = 1024;

// At a multiple of 16. Aborts the process when memory is exhausted.
// Threads: any; a block may be given back by another thread than took it.
void* TakeBlock(std::size_t size_bytes);
// `size_bytes` as it was asked for.
void GiveBlock(void* block, std::size_t size_bytes) noexcept;

// For std::allocate_shared.
template <class T>
class PoolAllocator {
 public:
  using value_type = T;

  PoolAllocator() = default;
  template <class U>
  PoolAllocator(const PoolAllocator<U>&) {}  // NOLINT: allocators convert

  T* allocate(std::size_t count) {
    static_assert(alignof(T) <= 16, "blocks are aligned to 16 bytes");
    return static_cast<T*>(TakeBlock(count * sizeof(T)));
  }
  void deallocate(T* block, std::size_t count) noexcept { GiveBlock(block, count * sizeof(T)); }

  friend bool operator==(const PoolAllocator&, const PoolAllocator&) { return true; }
  friend bool operator!=(const PoolAllocator&, const PoolAllocator&) { return false; }
};

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_BLOCK_POOL_H_
