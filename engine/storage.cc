#include "engine/storage.h"

#include <malloc.h>

#include <array>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "engine/block_pool.h"
#include "engine/check.h"

namespace lockstep {
namespace {

// Size classes: four to each doubling (1, 1.25, 1.5, 1.75 times a power of
// two), so that a block is at most a quarter larger than what was asked for.
// All are multiples of kStorageAlignment.
constexpr int kClassesPerDoubling = 4;
constexpr size_t kSmallestClassBytes = kStorageAlignment * kClassesPerDoubling;
constexpr int kDoublings = 48;
// More than any machine's address space.
constexpr size_t kLargestClassBytes = kSmallestClassBytes << kDoublings;

struct SizeClass {
  int index;
  size_t capacity_bytes;
};

// Requires: size_bytes <= kLargestClassBytes.
SizeClass ClassFor(size_t size_bytes) {
  size_t base = kSmallestClassBytes;
  int index = 0;
  while (size_bytes > 2 * base) {
    base *= 2;
    index += kClassesPerDoubling;
  }
  const size_t quarter = base / kClassesPerDoubling;
  if (size_bytes <= base) return {index, base};
  const size_t quarters = (size_bytes - base + quarter - 1) / quarter;
  return {index + static_cast<int>(quarters), base + quarters * quarter};
}

// Blocks that no storage uses, by size class.
class BlockCache {
 public:
  // Null: none of this class.
  void* Take(int size_class) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    std::vector<void*>& blocks = free_[size_class];
    if (blocks.empty()) return nullptr;
    void* block = blocks.back();
    blocks.pop_back();
    return block;
  }

  void Give(int size_class, void* block) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    free_[size_class].push_back(block);
  }

  void Release() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    for (std::vector<void*>& blocks : free_) {
      for (void* block : blocks) std::free(block);
      blocks.clear();
      blocks.shrink_to_fit();
    }
  }

 private:
  absl::Mutex mutex_;
  std::array<std::vector<void*>, (kDoublings + 2) * kClassesPerDoubling> free_
      ABSL_GUARDED_BY(mutex_);
};

// Never destroyed: tensors of static lifetime may go after everything else.
BlockCache& Cache() {
  static BlockCache* const cache = new BlockCache;
  return *cache;
}

}  // namespace

std::shared_ptr<Storage> Storage::Allocate(size_t size_bytes) {
  LOCKSTEP_CHECK(size_bytes <= kLargestClassBytes,
                 "cannot allocate " + std::to_string(size_bytes) + " bytes");
  const SizeClass size_class = ClassFor(size_bytes);
  void* block = Cache().Take(size_class.index);
  if (block == nullptr) block = std::aligned_alloc(kStorageAlignment, size_class.capacity_bytes);
  if (block == nullptr) {
    ReleaseStorageCache();  // the cache's blocks are of other sizes, and may be what is missing
    block = std::aligned_alloc(kStorageAlignment, size_class.capacity_bytes);
  }
  LOCKSTEP_CHECK(block != nullptr, "out of memory: got no block of " +
                                       std::to_string(size_class.capacity_bytes) + " bytes");
  return std::allocate_shared<Storage>(PoolAllocator<Storage>(), Key(), block, size_bytes,
                                       size_class.capacity_bytes);
}

std::shared_ptr<Storage> Storage::Use(std::shared_ptr<const StorageOwner> owner, void* data,
                                      size_t size_bytes, bool foreign) {
  LOCKSTEP_CHECK_EQ(reinterpret_cast<uintptr_t>(data) % kStorageAlignment, 0u);
  return std::allocate_shared<Storage>(PoolAllocator<Storage>(), Key(), data, size_bytes,
                                       std::move(owner), foreign);
}

Storage::~Storage() {
  if (owner_ == nullptr) Cache().Give(ClassFor(capacity_bytes_).index, data_);
}

void ReleaseStorageCache() { Cache().Release(); }

void KeepFreedMemory() {
  // 32 MiB is the greatest threshold that glibc takes; 256 MiB stay at the top.
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
}

}  // namespace lockstep
