// The work of a node of the shard tree: its examples through the model, their
// losses, and in training the node's gradient sum.
//
// Deliberately knows nothing of the network: a finished chunk of the gradient
// is handed to a callback while the rest of the backward pass goes on.
#ifndef LOCKSTEP_WORKER_NODE_COMPUTATION_H_
#define LOCKSTEP_WORKER_NODE_COMPUTATION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/model/job_data.h"
#include "engine/model/job_plan.h"
#include "engine/nn/loss.h"
#include "engine/nn/parameter_layout.h"
#include "engine/nn/sequential.h"
#include "engine/shard_tree.h"
#include "engine/tensor.h"
#include "lockstep/v1/job.pb.h"

namespace lockstep::worker {

struct NodeLosses {
  double loss_sum = 0;  // the shard tree over each shard's chain of float64 additions
  // Answers given, one for each label that counts, and how many were right.
  uint64_t predictions = 0;
  uint64_t correct = 0;
  uint64_t examples = 0;
};

// How a node of several shards is computed; the bits are the same.
enum class ShardStrategy {
  kWholeNode,     // as one batch, its weight gradients cut at shard borders
  kShardByShard,  // one after another, added in the tree's order
};

// Threads: one at a time; kernels use OpenMP's threads.
class NodeComputation {
 public:
  // Takes [chunk's elements] of the node's flat gradient, final. Called once
  // per chunk of the flat vector and Train call, on the computing thread.
  using ChunkHandler = std::function<void(int chunk, const Tensor& values)>;

  // Loads nothing: `data` is the job's. `chunk_elements`: how the flat gradient
  // is cut. Errors: as BuildModel.
  static absl::StatusOr<std::unique_ptr<NodeComputation>> Create(
      const v1::JobSpec& spec, std::shared_ptr<const JobData> data, int64_t chunk_elements,
      std::optional<ShardStrategy> strategy = std::nullopt);

  const nn::ParameterLayout& layout() const { return layout_; }
  const JobPlan& plan() const { return plan_; }

  // The flat parameters for what follows.
  void SetParameters(const Tensor& flat);

  // Gradient sum and losses of the node's examples in step `step`. Errors:
  // InvalidArgument: a label that does not suit the model.
  absl::StatusOr<NodeLosses> Train(uint64_t step, const ShardNode& node,
                                   const ChunkHandler& on_chunk);
  // Losses of the node's validation examples.
  absl::StatusOr<NodeLosses> Evaluate(const ShardNode& node);
  // Gathers the examples of a Train call that is likely to come.
  void Prefetch(uint64_t step, const ShardNode& node);

 private:
  struct PreparedBatch {
    uint64_t step = 0;
    ShardNode node;
    data::Batch batch;
  };

  NodeComputation(const v1::JobSpec& spec, std::shared_ptr<const JobData> data,
                  int64_t chunk_elements, std::unique_ptr<nn::Sequential> model,
                  std::unique_ptr<nn::Loss> loss);

  data::Batch TrainingBatch(uint64_t step, const ShardNode& node);
  std::vector<int64_t> CutsOf(const ShardNode& node, uint64_t examples) const;
  Tensor EmptyGradient() const;
  // Forward and backward of one batch into `gradient`.
  absl::StatusOr<NodeLosses> TrainBatch(const data::Batch& batch, const std::vector<int64_t>& cuts,
                                        Tensor gradient);
  // Checks the labels, and applies the examples' weights.
  absl::StatusOr<nn::LossResult> LossOf(const autograd::Variable& outputs,
                                        const data::Batch& batch) const;
  absl::StatusOr<NodeLosses> TrainShardByShard(uint64_t step, const ShardNode& node,
                                               Tensor gradient);
  void OnParameterReady(int slot);
  void EmitRemainingChunks();
  void EmitChunk(int chunk);

  const JobPlan plan_;
  const std::shared_ptr<const JobData> data_;
  const int64_t chunk_elements_;
  const std::unique_ptr<nn::Sequential> model_;
  const std::unique_ptr<nn::Loss> loss_;
  const nn::ParameterLayout layout_;
  ShardStrategy strategy_ = ShardStrategy::kWholeNode;

  // Of the Train call that goes on.
  const ChunkHandler* on_chunk_ = nullptr;
  Tensor gradient_;
  std::vector<int> slots_missing_;  // per chunk; -1: emitted
  std::vector<bool> slot_ready_;
  std::vector<PreparedBatch> prefetched_;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_NODE_COMPUTATION_H_
