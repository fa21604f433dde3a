// Memory that one process writes and others on the same machine read.
//
// A region is a memfd: it has no name in any file system, and is gone when the
// last process that has it is, however that ends. Whoever is told its place
// (process, descriptor) opens it through /proc; where that is not possible
// (another machine, another PID namespace, another user), opening fails, and
// the peers use their connection instead.
//
// Layout: a page of header (magic, size, random token), then the bytes.
#ifndef LOCKSTEP_PROTO_SHARED_MEMORY_SHARED_REGION_H_
#define LOCKSTEP_PROTO_SHARED_MEMORY_SHARED_REGION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "engine/storage.h"

namespace lockstep {

// Where a region is found.
struct SharedRegionPlace {
  uint32_t pid = 0;
  uint32_t descriptor = 0;  // of that process
  uint64_t size_bytes = 0;  // without the header
};

// Threads: any; the bytes are the users' to synchronise.
class SharedRegion : public StorageOwner {
 public:
  // A new one of zeros, for this process to write. Later changes of its size, and
  // writing by others, are ruled out where the kernel can do so. Errors:
  // ResourceExhausted: the system has no memory or descriptors for it.
  static absl::StatusOr<std::shared_ptr<SharedRegion>> Create(uint64_t size_bytes);

  // Another process's, for reading only: writing to it is a fault.
  // Errors: NotFound: there is no such region within this process's reach;
  // InvalidArgument: what is there is not a region of this size.
  static absl::StatusOr<std::shared_ptr<SharedRegion>> Open(const SharedRegionPlace& place);

  ~SharedRegion() override;
  SharedRegion(const SharedRegion&) = delete;
  SharedRegion& operator=(const SharedRegion&) = delete;

  // The bytes, at a multiple of 4096.
  char* data() const { return data_; }
  uint64_t size_bytes() const { return size_bytes_; }
  // 16 random bytes: whoever can name them has the region mapped.
  const std::string& token() const { return token_; }
  // Of a region that this process has created.
  SharedRegionPlace place() const;

 private:
  SharedRegion(int descriptor, char* mapping, uint64_t size_bytes, std::string token);

  const int descriptor_;  // -1: another process's
  char* const mapping_;   // header and bytes
  char* const data_;
  const uint64_t size_bytes_;
  const std::string token_;
};

// What tells machines apart, and starts of one: regions of processes with
// different ones cannot be reached. Empty: unknown.
std::string BootId();

}  // namespace lockstep

#endif  // LOCKSTEP_PROTO_SHARED_MEMORY_SHARED_REGION_H_
