#include "engine/storage.h"

#include <malloc.h>

#include "engine/block_pool.h"
#include "engine/check.h"

namespace lockstep {

static_assert(kStorageAlignment == kLargeBlockAlignment, "storages are large blocks");

std::shared_ptr<Storage> Storage::Allocate(size_t size_bytes) {
  return std::allocate_shared<Storage>(PoolAllocator<Storage>(), Key(), TakeLargeBlock(size_bytes),
                                       size_bytes);
}

std::shared_ptr<Storage> Storage::Use(std::shared_ptr<const StorageOwner> owner, void* data,
                                      size_t size_bytes, bool foreign) {
  LOCKSTEP_CHECK_EQ(reinterpret_cast<uintptr_t>(data) % kStorageAlignment, 0u);
  return std::allocate_shared<Storage>(PoolAllocator<Storage>(), Key(), data, size_bytes,
                                       std::move(owner), foreign);
}

Storage::~Storage() {
  if (owner_ == nullptr) GiveLargeBlock(data_, size_bytes_);
}

void ReleaseStorageCache() { ReleaseLargeBlocks(); }

void KeepFreedMemory() {
  // 32 MiB is the greatest threshold that glibc takes; 256 MiB stay at the top.
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
  // Only the first arena heeds that: others give their heaps of 64 MiB back as soon as
  // they are empty, with the buffers that the network's threads take and free.
  mallopt(M_ARENA_MAX, 1);
}

}  // namespace lockstep
