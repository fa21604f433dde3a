// A worker's copy of the parameters: one version in use, the next one filling
// up chunk by chunk while the step still computes with the present one.
#ifndef LOCKSTEP_WORKER_PARAMETER_REPLICA_H_
#define LOCKSTEP_WORKER_PARAMETER_REPLICA_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "engine/tensor.h"

namespace lockstep::worker {

// Threads: Receive on the network's thread, Adopt on the computing one.
class ParameterReplica {
 public:
  // Flat vectors of `total_elements`, in chunks of `chunk_elements` but for the
  // last. Requires: both >= 1.
  ParameterReplica(int64_t total_elements, int64_t chunk_elements);

  int chunk_count() const { return chunk_count_; }
  int64_t ChunkBegin(int chunk) const { return chunk * chunk_elements_; }
  int64_t ChunkEnd(int chunk) const;

  // Takes a chunk of `version`; `copy` writes its elements to where it is told.
  // A chunk of another version than before begins that version anew.
  // Errors: InvalidArgument: no such chunk, or not `size_bytes` in it.
  absl::Status Receive(uint64_t version, uint32_t chunk, size_t size_bytes,
                       const std::function<void(float*)>& copy);

  // The same of a chunk whose elements lie in memory that the server shares: they
  // are used where they are. `position`: of the channel, before the message.
  // Errors: as Receive; InvalidArgument too where they do not lie as the chunks
  // of one version do.
  absl::Status ReceiveShared(uint64_t version, uint32_t chunk, const Tensor& values,
                             uint64_t position);
  // Position of the channel up to which no parameters are used any more: those of
  // the version in use, and later ones, came after it.
  uint64_t released() const;

  // The whole of `version`: the one in use, or the one filled up by now, which
  // is then in use. Errors: FailedPrecondition: neither.
  absl::StatusOr<Tensor> Adopt(uint64_t version);
  // Whether a later version than this has begun to come, so that this one will
  // never be whole.
  bool IsPast(uint64_t version) const;

 private:
  absl::Status CheckChunk(uint32_t chunk, size_t size_bytes) const;
  // Makes `version` the one that fills up, in memory that `make` gives.
  void BeginVersion(uint64_t version, const std::function<Tensor()>& make)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MarkReceived(uint32_t chunk) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int64_t total_elements_;
  const int64_t chunk_elements_;
  const int chunk_count_;

  mutable absl::Mutex mutex_;
  Tensor current_ ABSL_GUARDED_BY(mutex_);
  uint64_t current_version_ ABSL_GUARDED_BY(mutex_) = 0;
  Tensor incoming_ ABSL_GUARDED_BY(mutex_);
  uint64_t incoming_version_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<bool> received_ ABSL_GUARDED_BY(mutex_);
  uint64_t current_position_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t incoming_position_ ABSL_GUARDED_BY(mutex_) = 0;  // of its first chunk
  int missing_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_PARAMETER_REPLICA_H_
