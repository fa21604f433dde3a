// A job's parameters and optimizer state in flat vectors, changed chunk by
// chunk, each step giving a new version while the one before stays readable.
#ifndef LOCKSTEP_SERVER_PARAMETER_STORE_H_
#define LOCKSTEP_SERVER_PARAMETER_STORE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "engine/data/named_tensor.h"
#include "engine/nn/parameter_layout.h"
#include "engine/optim/optimizer.h"
#include "engine/tensor.h"

namespace lockstep::server {

// Elements of a chunk, the unit of sending, summing and updating: 256 KiB, so
// that a chunk is summed and updated within a core's second-level cache.
inline constexpr int64_t kChunkElements = 65536;

// Versions are immutable once published: whoever holds a Tensor of one (a
// message on its way, a checkpoint being written) keeps its memory alive.
class ParameterStore {
 public:
  // `parameters`: flat, as `layout` says. The optimizer's state starts at zero.
  ParameterStore(nn::ParameterLayout layout, std::unique_ptr<optim::Optimizer> optimizer,
                 Tensor parameters);

  // Takes parameters from named tensors, all of them, by name and shape.
  // Errors: InvalidArgument, naming the first that is missing, left over or of
  // another shape; nothing is changed then.
  absl::Status LoadParameters(const std::vector<data::NamedTensor>& tensors);
  // The same for the optimizer's state: "<state name>.<parameter name>".
  absl::Status LoadOptimizerState(const std::vector<data::NamedTensor>& tensors);

  int chunk_count() const { return chunk_count_; }
  int64_t ChunkElements(int chunk) const;
  // A chunk of the committed version, or of the one in the making.
  Tensor CurrentChunk(int chunk) const { return Chunk(current_, chunk); }
  Tensor NextChunk(int chunk) const { return Chunk(next_, chunk); }

  // Makes room for the next version. Threads: alone.
  void BeginStep();
  // Computes one chunk of the next version from the root of its shard tree.
  // Requires: once per chunk and step. Threads: different chunks at once.
  void ApplyChunk(int chunk, const Tensor& gradient_sum, uint64_t step, double batch_size,
                  double learning_rate_factor);
  // The next version becomes the current one. Threads: alone.
  void CommitStep();
  // Whether every present parameter is a number, as only those are worth keeping.
  bool IsFinite() const;

  // The current version by name, sharing its memory.
  std::vector<data::NamedTensor> NamedParameters() const;
  // A copy of the optimizer's state by name. Threads: alone.
  std::vector<data::NamedTensor> CopyOptimizerState() const;
  const nn::ParameterLayout& layout() const { return layout_; }
  const optim::Optimizer& optimizer() const { return *optimizer_; }

 private:
  Tensor Chunk(const Tensor& flat, int chunk) const;
  absl::Status Load(const std::string& prefix, const std::vector<data::NamedTensor>& tensors,
                    Tensor& flat) const;

  const nn::ParameterLayout layout_;
  const std::unique_ptr<optim::Optimizer> optimizer_;
  const int chunk_count_;
  Tensor current_;
  Tensor next_;
  std::vector<Tensor> state_;  // one flat vector per state of the optimizer
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_PARAMETER_STORE_H_
