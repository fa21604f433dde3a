// A block of memory that tensors share, aligned for SIMD and drawn from a
// cache, so that a steady-state training step allocates nothing.
#ifndef LOCKSTEP_ENGINE_STORAGE_H_
#define LOCKSTEP_ENGINE_STORAGE_H_

#include <cstddef>
#include <cstdint>
#include <memory>

namespace lockstep {

// Every block begins at a multiple of this: a cache line, an AVX-512 register.
inline constexpr size_t kStorageAlignment = 64;

// Threads: creation and destruction from any thread; the bytes are the
// caller's to synchronise.
class Storage {
 public:
  // Uninitialised. The block's memory comes back to the cache when the last
  // reference goes. Aborts the process when memory is exhausted.
  static std::shared_ptr<Storage> Allocate(size_t size_bytes);

  // For Allocate alone.
  class Key {
    friend class Storage;
    Key() = default;
  };
  Storage(Key, void* data, size_t size_bytes, size_t capacity_bytes)
      : data_(data), size_bytes_(size_bytes), capacity_bytes_(capacity_bytes) {}
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() { return data_; }
  const void* data() const { return data_; }
  size_t size_bytes() const { return size_bytes_; }

 private:
  void* const data_;
  const size_t size_bytes_;
  const size_t capacity_bytes_;
};

// Tells malloc to keep large freed blocks for the next ones instead of giving
// them back to the system: network buffers of hundreds of KiB come and go with
// every message, and each return costs page faults. Call once, at start.
void KeepFreedMemory();

// Gives all cached blocks back to the system (between jobs).
void ReleaseStorageCache();

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_STORAGE_H_
