#include "engine/block_pool.h"

#include <cstdlib>

#include "engine/check.h"
#include "engine/large_blocks.h"

namespace lockstep {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kKeepBlocks = false;
#else
constexpr bool kKeepBlocks = true;
#endif

constexpr std::size_t kClassBytes = 64;
constexpr std::size_t kClasses = kLargestThreadBlock / kClassBytes;
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

static_assert(LargeBlocks::kAlignment == kLargeBlockAlignment, "what block_pool.h promises");

// Never destroyed: tensors of static lifetime may go after everything else.
LargeBlocks& Large() {
  static LargeBlocks* const blocks = new LargeBlocks(kKeepBlocks);
  return *blocks;
}

}  // namespace

void* TakeLargeBlock(std::size_t size_bytes) { return Large().Take(size_bytes); }

void GiveLargeBlock(void* block, std::size_t size_bytes) noexcept {
  Large().Give(block, size_bytes);
}

void ReleaseLargeBlocks() { Large().Release(); }

void* TakeBlock(std::size_t size_bytes) {
  if (size_bytes > kLargestThreadBlock) return TakeLargeBlock(size_bytes);
  if (size_bytes == 0) size_bytes = 1;
  const std::size_t size_class = ClassOf(size_bytes);
  FreeBlock* const block = lists.first[size_class];
  if (block != nullptr) {
    lists.first[size_class] = block->next;
    lists.bytes[size_class] -= (size_class + 1) * kClassBytes;
    return block;
  }
  void* const fresh = std::malloc(kKeepBlocks ? (size_class + 1) * kClassBytes : size_bytes);
  LOCKSTEP_CHECK(fresh != nullptr, "out of memory for a small block");
  return fresh;
}

void GiveBlock(void* block, std::size_t size_bytes) noexcept {
  if (size_bytes > kLargestThreadBlock) return GiveLargeBlock(block, size_bytes);
  if (size_bytes == 0) size_bytes = 1;
  if (!kKeepBlocks || lists.closed) return std::free(block);
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
