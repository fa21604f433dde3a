#include "engine/block_pool.h"

#include <cstdlib>

#include "engine/check.h"

namespace lockstep {
namespace {

constexpr std::size_t kClassBytes = 64;
constexpr std::size_t kClasses = kLargestPooledBytes / kClassBytes;
// A thread that frees what others take must not hoard it: 4 MiB at the most of
// blocks of one size, so that a training step's graph fits.
constexpr std::size_t kMostBytesOfOneClass = std::size_t{4} << 20;

struct FreeBlock {
  FreeBlock* next;
};

// Plain data, so that it outlives the thread's objects with destructors.
struct FreeLists {
  FreeBlock* first[kClasses];
  std::size_t bytes[kClasses];
  bool closed;  // the thread ends: nothing is kept any more
};
thread_local FreeLists lists = {};

// Gives a thread's blocks back to the heap when it ends.
struct Closer {
  bool armed = false;
  ~Closer() {
    lists.closed = true;
    for (FreeBlock*& first : lists.first) {
      while (first != nullptr) {
        FreeBlock* const block = first;
        first = block->next;
        std::free(block);
      }
    }
  }
};
thread_local Closer closer;

std::size_t ClassOf(std::size_t size_bytes) { return (size_bytes - 1) / kClassBytes; }

}  // namespace

void* TakeBlock(std::size_t size_bytes) {
  if (size_bytes == 0) size_bytes = 1;
  if (size_bytes > kLargestPooledBytes) {
    void* const block = std::malloc(size_bytes);
    LOCKSTEP_CHECK(block != nullptr, "out of memory for a small block");
    return block;
  }
  const std::size_t size_class = ClassOf(size_bytes);
  FreeBlock* const block = lists.first[size_class];
  if (block != nullptr) {
    lists.first[size_class] = block->next;
    lists.bytes[size_class] -= (size_class + 1) * kClassBytes;
    return block;
  }
  void* const fresh = std::malloc((size_class + 1) * kClassBytes);
  LOCKSTEP_CHECK(fresh != nullptr, "out of memory for a small block");
  return fresh;
}

void GiveBlock(void* block, std::size_t size_bytes) noexcept {
  if (size_bytes == 0) size_bytes = 1;
  if (size_bytes > kLargestPooledBytes || lists.closed) return std::free(block);
  const std::size_t size_class = ClassOf(size_bytes);
  const std::size_t block_bytes = (size_class + 1) * kClassBytes;
  if (lists.bytes[size_class] + block_bytes > kMostBytesOfOneClass) return std::free(block);
  closer.armed = true;  // makes the thread's closer
  FreeBlock* const freed = static_cast<FreeBlock*>(block);
  freed->next = lists.first[size_class];
  lists.first[size_class] = freed;
  lists.bytes[size_class] += block_bytes;
}

}  // namespace lockstep
