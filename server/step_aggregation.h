// The gradient sums of one step: a shard tree for each chunk of the flat
// parameter vector. A chunk whose tree is complete goes through the optimizer
// at once, while it is in cache and others are still on their way.
#ifndef LOCKSTEP_SERVER_STEP_AGGREGATION_H_
#define LOCKSTEP_SERVER_STEP_AGGREGATION_H_

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "engine/kernels/optimizer_update.h"
#include "engine/shard_tree.h"
#include "engine/tensor.h"
#include "server/parameter_store.h"
#include "server/reduction_tree.h"

namespace lockstep::server {

// The addition of the tree, element by element.
struct MergeTensors {
  void operator()(Tensor& into, Tensor&& other) const {
    kernels::AddInPlace(into.span<float>(), static_cast<const Tensor&>(other).span<float>());
  }
};

// Threads: any; different chunks go on side by side.
class StepAggregation {
 public:
  // `store` must have begun the step and outlive this.
  StepAggregation(ParameterStore* store, int shards, uint64_t step, double batch_size,
                  double learning_rate_factor);

  uint64_t step() const { return step_; }

  // Adds a node's sum of one chunk; the tensor is used up. Returns true where
  // that completed the chunk: the store's NextChunk is then final.
  // Requires: a node of the tree, and as many elements as the chunk has.
  bool Add(int chunk, const ShardNode& node, Tensor sum);

 private:
  struct Chunk {
    explicit Chunk(int shards) : tree(shards) {}
    absl::Mutex mutex;
    ReductionTree<Tensor, MergeTensors> tree ABSL_GUARDED_BY(mutex);
  };

  ParameterStore* const store_;
  const uint64_t step_;
  const double batch_size_;
  const double learning_rate_factor_;
  std::vector<std::unique_ptr<Chunk>> chunks_;
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_STEP_AGGREGATION_H_
