// A job's parameters and optimizer state in flat vectors, changed chunk by
// chunk, each step giving a new version while the one before stays readable.
#ifndef LOCKSTEP_SERVER_PARAMETER_STORE_H_
#define LOCKSTEP_SERVER_PARAMETER_STORE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "engine/data/named_tensor.h"
#include "engine/nn/parameter_layout.h"
#include "engine/optim/parameter_updater.h"
#include "engine/tensor.h"
#include "proto/shared_memory/shared_blocks.h"
#include "server/storage/lazy_copy.h"

namespace lockstep::server {

// Elements of a chunk, the unit of sending, summing and updating: 256 KiB, so
// that a chunk is summed and updated within a core's second-level cache.
inline constexpr int64_t kChunkElements = 65536;
// The same where messages are what a step waits for: 1 MiB, with a fourth of them.
inline constexpr int64_t kLargeChunkElements = 4 * kChunkElements;
// Models from this size on have large chunks: of smaller ones the last layers'
// gradients should leave before the first ones' are there.
inline constexpr int64_t kLargeModelElements = 1 << 24;

// No bit of a model depends on it; the digests of shards' gradients do, which are
// kept and compared: jobs that record them have small chunks whatever their size.
inline int64_t ChunkElementsFor(int64_t total_elements, bool records_shard_digests) {
  const bool large = total_elements >= kLargeModelElements && !records_shard_digests;
  return large ? kLargeChunkElements : kChunkElements;
}

// Versions are immutable once published: whoever holds a Tensor of one (a
// message on its way, a checkpoint being written) keeps its memory alive.
class ParameterStore {
 public:
  // `parameters`: flat, as `layout` says. The optimizers' state starts at zero.
  // Requires: chunk_elements from 1 to kLargeChunkElements.
  ParameterStore(nn::ParameterLayout layout, optim::UpdateRules rules, Tensor parameters,
                 int64_t chunk_elements = kChunkElements);

  // Takes parameters from named tensors, all of them, by name and shape.
  // Errors: InvalidArgument, naming the first that is missing, left over or of
  // another shape; nothing is changed then.
  absl::Status LoadParameters(const std::vector<data::NamedTensor>& tensors);
  // The same for the state: "<state name>.<parameter name>" (ParameterUpdater::State).
  absl::Status LoadOptimizerState(const std::vector<data::NamedTensor>& tensors);

  int chunk_count() const { return chunk_count_; }
  // Of every chunk but the last, which may have fewer.
  int64_t chunk_elements() const { return chunk_elements_; }
  int64_t ChunkElements(int chunk) const;
  // A chunk of the committed version, or of the one in the making.
  // They lie in shared memory, where the system has some.
  Tensor CurrentChunk(int chunk) const { return Chunk(current_, chunk); }
  // Requires: the chunk has been applied.
  Tensor NextChunk(int chunk) { return Chunk(Next(), chunk); }

  // Makes room for the next version, when its first chunk is applied: by then the
  // version before the current one is seldom in use any more. Threads: alone.
  void BeginStep();
  // Whether chunks cannot be applied one by one, but only all together.
  bool NeedsWholeGradient() const { return updater_.NeedsWholeGradient(); }
  // Computes one chunk of the next version from the root of its shard tree.
  // Requires: !NeedsWholeGradient(); once per chunk and step. Threads:
  // different chunks at once.
  void ApplyChunk(int chunk, const Tensor& gradient_sum, const optim::UpdateStep& step);
  // Keeps the root of a chunk's shard tree for ApplyAll.
  // Requires: NeedsWholeGradient(). Threads: different chunks at once.
  void KeepChunk(int chunk, const Tensor& gradient_sum);
  // Computes the whole next version from what was kept. Requires: every chunk
  // kept, once per step. Threads: alone.
  void ApplyAll(const optim::UpdateStep& step);
  // The next version becomes the current one. Threads: alone.
  void CommitStep();
  // Whether every present parameter is a number, as only those are worth keeping.
  bool IsFinite() const;

  // The current version by name, sharing its memory.
  std::vector<data::NamedTensor> NamedParameters() const { return Named(current_); }

  // Parameters and state by name as they are now, whatever steps do afterwards.
  struct Snapshot {
    std::vector<data::NamedTensor> parameters;
    std::vector<data::NamedTensor> optimizer_state;
    // Not null: what is to be finished before the tensors are read.
    std::shared_ptr<LazyCopy> copying;
  };
  // Small ones are copied at once; large ones piece by piece to files in
  // `scratch_folder`, where that can hold them. Threads: alone.
  Snapshot TakeSnapshot(const std::string& scratch_folder);
  const nn::ParameterLayout& layout() const { return updater_.layout(); }
  // The optimizers, for people.
  std::string DescribeOptimizer() const { return updater_.Describe(); }

 private:
  Tensor Chunk(const Tensor& flat, int chunk) const;
  Tensor Next() ABSL_LOCKS_EXCLUDED(next_mutex_);
  // Before a step changes the state of these chunks.
  void KeepInSnapshots(int first_chunk, int end_chunk);
  std::vector<data::NamedTensor> Named(const Tensor& flat) const;
  std::vector<data::NamedTensor> NamedState(const std::vector<Tensor>& flat) const;

  optim::ParameterUpdater updater_;
  const int64_t chunk_elements_;
  const int chunk_count_;
  SharedBlocks blocks_;  // of the versions
  Tensor current_;
  absl::Mutex next_mutex_;  // of the handle; the elements are their chunks'
  Tensor next_ ABSL_GUARDED_BY(next_mutex_);
  Tensor gradient_;  // flat; only where NeedsWholeGradient()
  // As far as somebody holds them. Of those since the last step the state is not whole
  // before the next step is; those before hold their version of the parameters until the
  // step after needs its memory.
  std::vector<std::weak_ptr<LazyCopy>> snapshots_;
  std::vector<std::weak_ptr<LazyCopy>> snapshots_before_;
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_PARAMETER_STORE_H_
