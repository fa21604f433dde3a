// The caching allocator: blocks that were given back are kept for the next ones
// of their size, so that a training step, once the first ones have filled the
// cache, calls malloc not once (tests/steady_state shows it).
//
// What is pooled: the elements of tensors and their handles (storage.h), graph
// nodes, variables, and the vectors that operations make (PooledVector). A block
// of up to kLargestThreadBlock bytes goes back to the thread that gives it, without a
// lock; a larger one to a cache that all threads share.
//
// When it goes back to the system: a thread's small blocks when the thread ends,
// the large ones by ReleaseLargeBlocks (between jobs).
//
// Threads: everything here may be called from any; a block may be given back by
// another thread than took it.
//
// With AddressSanitizer nothing is kept, so that it sees every use of a block
// that was given back and every byte beyond one.
#ifndef LOCKSTEP_ENGINE_BLOCK_POOL_H_
#define LOCKSTEP_ENGINE_BLOCK_POOL_H_

#include <cstddef>
#include <vector>

namespace lockstep {

inline constexpr std::size_t kLargestThreadBlock = 1024;

// Alignment of blocks from TakeLargeBlock: a cache line, an AVX-512 register.
inline constexpr std::size_t kLargeBlockAlignment = 64;

// Uninitialised, at a multiple of 16. Aborts the process, saying how much was
// wanted, when memory is exhausted.
void* TakeBlock(std::size_t size_bytes);
// `size_bytes` as it was asked for.
void GiveBlock(void* block, std::size_t size_bytes) noexcept;

// The same from the common cache whatever the size.
void* TakeLargeBlock(std::size_t size_bytes);
void GiveLargeBlock(void* block, std::size_t size_bytes) noexcept;

// Gives the common cache's blocks back to the system.
void ReleaseLargeBlocks();

// For std::allocate_shared and containers.
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

// For vectors that come and go with an operation or a step.
template <class T>
using PooledVector = std::vector<T, PoolAllocator<T>>;

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_BLOCK_POOL_H_
