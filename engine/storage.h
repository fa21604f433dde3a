// A block of memory that tensors share, aligned for SIMD and drawn from the
// caching allocator (block_pool.h).
#ifndef LOCKSTEP_ENGINE_STORAGE_H_
#define LOCKSTEP_ENGINE_STORAGE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace lockstep {

// Every block begins at a multiple of this: a cache line, an AVX-512 register.
inline constexpr size_t kStorageAlignment = 64;

// Whom memory belongs to that a Storage uses and has not allocated.
class StorageOwner {
 public:
  virtual ~StorageOwner() = default;
};

// Threads: creation and destruction from any thread; the bytes are the
// caller's to synchronise.
class Storage {
 public:
  // Uninitialised. The block's memory comes back to the cache when the last
  // reference goes. Aborts the process when memory is exhausted.
  static std::shared_ptr<Storage> Allocate(size_t size_bytes);

  // Memory that is `owner`'s, who is kept as long as the storage. `foreign`:
  // another process may change it, so it must be copied by whoever wants to
  // rely on it later. Requires: aligned to kStorageAlignment.
  static std::shared_ptr<Storage> Use(std::shared_ptr<const StorageOwner> owner, void* data,
                                      size_t size_bytes, bool foreign);

  // For Allocate and Use alone.
  class Key {
    friend class Storage;
    Key() = default;
  };
  Storage(Key, void* block, size_t size_bytes) : data_(block), size_bytes_(size_bytes) {}
  Storage(Key, void* data, size_t size_bytes, std::shared_ptr<const StorageOwner> owner,
          bool foreign)
      : data_(data), size_bytes_(size_bytes), owner_(std::move(owner)), foreign_(foreign) {}
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() { return data_; }
  const void* data() const { return data_; }
  size_t size_bytes() const { return size_bytes_; }
  // Null after Allocate.
  const StorageOwner* owner() const { return owner_.get(); }
  bool foreign() const { return foreign_; }

 private:
  void* const data_;
  const size_t size_bytes_;
  const std::shared_ptr<const StorageOwner> owner_;
  const bool foreign_ = false;
};

// Tells malloc to keep large freed blocks for the next ones instead of giving
// them back to the system: network buffers of hundreds of KiB come and go with
// every message, and each return costs page faults. Call once, at start.
void KeepFreedMemory();

// Gives all cached blocks back to the system (between jobs).
void ReleaseStorageCache();

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_STORAGE_H_
