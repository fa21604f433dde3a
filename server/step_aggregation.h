// The gradient sums of one step: a shard tree for each chunk of the flat
// parameter vector. A chunk whose tree is complete goes through the optimizer
// at once, while it is in cache and others are still on their way; only where
// the store needs the whole gradient do all chunks wait for the last.
#ifndef LOCKSTEP_SERVER_STEP_AGGREGATION_H_
#define LOCKSTEP_SERVER_STEP_AGGREGATION_H_

#include <atomic>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "engine/kernels/bfloat16.h"
#include "engine/kernels/optimizer_update.h"
#include "engine/shard_tree.h"
#include "engine/tensor.h"
#include "server/parameter_store.h"
#include "server/reduction_tree.h"

namespace lockstep::server {

// The addition of the tree, element by element.
struct MergeTensors {
  bool bfloat16 = false;  // as JobSpec.gradient_format
  void operator()(Tensor& into, Tensor&& other) const {
    const absl::Span<const float> values = static_cast<const Tensor&>(other).span<float>();
    if (bfloat16) {
      kernels::AddRoundedInPlace(into.span<float>(), values);
    } else {
      kernels::AddInPlace(into.span<float>(), values);
    }
  }
};

// Threads: any; different chunks go on side by side.
class StepAggregation {
 public:
  // `store` must have begun the step and outlive this.
  // `bfloat16`: sums are rounded, as JobSpec.gradient_format says.
  StepAggregation(ParameterStore* store, int shards, const optim::UpdateStep& step,
                  bool bfloat16 = false);

  uint64_t step() const { return step_.step; }

  // The most sums that the tree of one chunk has held so far.
  int most_sums() const { return most_sums_.load(std::memory_order_relaxed); }

  // Adds a node's sum of one chunk; the tensor is used up. Foreign values are
  // read before this returns, and copied where they must wait. Returns the chunks
  // whose new parameters that completed, [first, end): the store's NextChunk is
  // final for them. Empty, this chunk alone, or all chunks.
  // Requires: a node of the tree, and as many elements as the chunk has.
  struct ChunkRange {
    int first = 0;
    int end = 0;
  };
  ChunkRange Add(int chunk, const ShardNode& node, Tensor sum);

 private:
  struct Chunk {
    Chunk(int shards, bool bfloat16) : tree(shards, MergeTensors{bfloat16}) {}
    absl::Mutex mutex;
    ReductionTree<Tensor, MergeTensors> tree ABSL_GUARDED_BY(mutex);
  };

  void NoteSums(int held);

  ParameterStore* const store_;
  const optim::UpdateStep step_;
  // Of a store that needs the whole gradient: chunks not kept yet. Whoever
  // takes it to 0 sees what all others kept (acquire and release).
  std::atomic<int> missing_;
  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::atomic<int> most_sums_{0};  // a number by itself: no order is needed
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_STEP_AGGREGATION_H_
