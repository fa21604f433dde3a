// Tensors whose elements lie in shared memory, drawn from a pool of regions of
// one size, so that a steady-state step maps nothing.
#ifndef LOCKSTEP_PROTO_SHARED_MEMORY_SHARED_BLOCKS_H_
#define LOCKSTEP_PROTO_SHARED_MEMORY_SHARED_BLOCKS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "engine/tensor.h"
#include "proto/shared_memory/shared_region.h"

namespace lockstep {

// Where a tensor's elements lie for others.
struct SharedPlace {
  std::shared_ptr<const SharedRegion> region;
  uint64_t offset_bytes = 0;
};

// Threads: any.
class SharedBlocks {
 public:
  // Of `elements` float32 each.
  explicit SharedBlocks(int64_t elements);

  // Uninitialised, shape [elements]. The block comes back to the pool when the
  // last reference goes, which may be after the pool's end. In ordinary memory
  // where the system has no shared memory.
  Tensor Take();

 private:
  friend std::optional<SharedPlace> SharedPlaceOf(const Tensor& tensor);
  class Pool;
  class Block;

  const int64_t elements_;
  const std::shared_ptr<Pool> pool_;
};

// Nothing: they lie in ordinary memory, or in another process's region.
std::optional<SharedPlace> SharedPlaceOf(const Tensor& tensor);

// The regions of one peer that this process has mapped. Threads: one at a time.
class PeerRegions {
 public:
  // float32 elements of a region of the peer's, to be read only; the tensor's
  // storage is foreign. `token`: that of the region.
  // Errors: those of SharedRegion::Open; InvalidArgument: outside of it.
  absl::StatusOr<Tensor> View(const SharedRegionPlace& place, const std::string& token,
                              uint64_t offset_bytes, uint64_t size_bytes);
  // Unmaps what no tensor uses any more.
  void Clear() { regions_.clear(); }

 private:
  std::map<std::string, std::shared_ptr<SharedRegion>> regions_;  // by token
};

}  // namespace lockstep

#endif  // LOCKSTEP_PROTO_SHARED_MEMORY_SHARED_BLOCKS_H_
