// The work of a node of the shard tree: its examples through the model, their
// losses, and in training the node's gradient sum.
//
// Deliberately knows nothing of the network: a finished chunk of the gradient
// is handed to a callback while the rest of the backward pass goes on.
#ifndef LOCKSTEP_WORKER_NODE_COMPUTATION_H_
#define LOCKSTEP_WORKER_NODE_COMPUTATION_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/block_pool.h"
#include "engine/model/job_data.h"
#include "engine/model/job_plan.h"
#include "engine/model/layer_registry.h"
#include "engine/nn/loss.h"
#include "engine/nn/parameter_layout.h"
#include "engine/nn/sequential.h"
#include "engine/shard_tree.h"
#include "engine/tensor.h"
#include "lockstep/v1/job.pb.h"
#include "worker/fastest_of.h"

namespace lockstep::worker {

struct NodeLosses {
  double loss_sum = 0;  // the shard tree over each shard's chain of float64 additions
  // Answers given, one for each label that counts, and how many were right.
  uint64_t predictions = 0;
  uint64_t correct = 0;
  uint64_t examples = 0;
};

// The sums of two neighbours, the left one's part first.
NodeLosses Together(const NodeLosses& left, const NodeLosses& right);

// How a node of several shards is computed; the bits are the same.
enum class ShardStrategy {
  kWholeNode,       // as one batch, its weight gradients cut at shard borders
  kShardByShard,    // one after another with all threads in each kernel
  kShardPerThread,  // each on one thread, then added in the tree's order
};

// Which strategy is the fastest depends on the model, the batch and the machine,
// so each that can be used is, for a few steps, and then the fastest of them.
//
// Threads: one at a time; kernels use OpenMP's threads.
class NodeComputation {
 public:
  // Takes [chunk's elements] of the node's flat gradient, final. Called once
  // per chunk of the flat vector and Train call, on the computing thread.
  using ChunkHandler = std::function<void(int chunk, const Tensor& values)>;

  // Loads nothing: `data` is the job's. `chunk_elements`: how the flat gradient
  // is cut. `layers`: those that the job may name besides job.proto's.
  // `strategy`: always this one, where the model supports it. Errors: as BuildModel.
  static absl::StatusOr<std::unique_ptr<NodeComputation>> Create(
      const v1::JobSpec& spec, std::shared_ptr<const JobData> data, int64_t chunk_elements,
      const LayerRegistry& layers = {}, std::optional<ShardStrategy> strategy = std::nullopt);

  const nn::ParameterLayout& layout() const { return layout_; }
  const JobPlan& plan() const { return plan_; }

  // The flat parameters for what follows.
  void SetParameters(const Tensor& flat);

  // Where the gradients of Train calls are put from now on: `take` gives a flat
  // vector, uninitialised, of elements that nobody uses.
  void SetGradientMemory(std::function<Tensor()> take) { take_gradient_ = std::move(take); }

  // Gradient sum and losses of the node's examples in step `step`. Errors:
  // InvalidArgument: a label that does not suit the model.
  // In local SGD not the gradient's sum, but that of what the shards changed;
  // `learning_rate_factor`: the schedule's, for their own steps.
  absl::StatusOr<NodeLosses> Train(uint64_t step, const ShardNode& node,
                                   const ChunkHandler& on_chunk, double learning_rate_factor = 1);
  // Computes the node again to find the operation that first gave a number that
  // is not finite; one line that names shard and operation, empty: all are.
  std::string FindAnomaly(uint64_t step, const ShardNode& node, double learning_rate_factor = 1);
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

  // A node's examples in one step.
  struct NodeBatch {
    uint64_t step = 0;
    uint64_t first_example = 0;  // of the step's whole batch
    PooledVector<int64_t> cuts;  // where shards begin and end among the node's rows
    data::Batch batch;

    int shards() const { return static_cast<int>(cuts.size()) - 1; }
    // Some of its shards, sharing the rows.
    NodeBatch Part(int first_shard, int end_shard) const;
  };

  // With its parameters, as the layout has them.
  struct BoundModel {
    std::shared_ptr<nn::Sequential> module;
    nn::BoundParameters parameters;
  };

  NodeComputation(const v1::JobSpec& spec, std::shared_ptr<const JobData> data,
                  int64_t chunk_elements, const LayerRegistry& layers,
                  std::shared_ptr<nn::Sequential> model, std::unique_ptr<nn::Loss> loss);

  NodeBatch BatchOf(uint64_t step, const ShardNode& node);
  data::Batch TrainingBatch(uint64_t step, const ShardNode& node);
  PooledVector<int64_t> CutsOf(const ShardNode& node, uint64_t examples) const;
  Tensor EmptyGradient() const;
  using Strategies = absl::InlinedVector<ShardStrategy, 3>;
  // The strategies that a node of so many shards can be computed with, the
  // preferred one first.
  Strategies StrategiesFor(int shards) const;
  // By the strategy, into `gradient_`.
  absl::StatusOr<NodeLosses> TrainBy(ShardStrategy strategy, const NodeBatch& batch);
  // Forward and backward of one batch into `gradient`.
  absl::StatusOr<NodeLosses> TrainBatch(BoundModel& model, const NodeBatch& batch,
                                        Tensor gradient) const;
  // Checks the labels, and applies the examples' weights.
  absl::StatusOr<nn::LossResult> LossOf(const autograd::Variable& outputs,
                                        const data::Batch& batch) const;
  absl::StatusOr<NodeLosses> TrainShardByShard(const NodeBatch& batch, Tensor gradient);
  absl::StatusOr<NodeLosses> TrainShardPerThread(const NodeBatch& batch, Tensor gradient);
  // What the shard tree does with a shard's gradient before it meets another's,
  // and with two that meet: the first becomes their sum.
  void FinishShard(Tensor& gradient) const;
  void AddGradients(Tensor& gradient, const Tensor& other) const;
  // Local SGD (node_computation_local.cc).
  absl::StatusOr<NodeLosses> TrainLocally(const NodeBatch& batch, double learning_rate_factor,
                                          Tensor change);
  absl::StatusOr<NodeLosses> TrainShardLocally(const NodeBatch& batch, double learning_rate_factor,
                                               Tensor change);
  // Makes copies of the model, which share its parameters, for so many threads.
  absl::Status MakeModelsFor(int threads);
  void OnParameterReady(int slot);
  void EmitRemainingChunks();
  void EmitChunk(int chunk);

  const JobPlan plan_;
  const std::shared_ptr<const JobData> data_;
  const int64_t chunk_elements_;
  const v1::JobSpec spec_;
  const LayerRegistry layers_;
  const std::unique_ptr<nn::Loss> loss_;
  const nn::ParameterLayout layout_;
  const bool keeps_shards_apart_;  // the model, in a batch of several
  const bool bfloat16_;            // as JobSpec.gradient_format
  std::function<Tensor()> take_gradient_;
  std::optional<ShardStrategy> only_strategy_;
  std::map<int, FastestOf> fastest_;  // by the shards of a node
  Tensor parameters_;
  // One for each thread that has needed one, at least one; they share parameters.
  std::vector<BoundModel> models_;

  // Of the Train call that goes on.
  const ChunkHandler* on_chunk_ = nullptr;
  Tensor gradient_;
  std::vector<int> slots_missing_;  // per chunk; -1: emitted
  std::vector<bool> slot_ready_;
  std::vector<PreparedBatch> prefetched_;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_NODE_COMPUTATION_H_
