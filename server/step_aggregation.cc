#include "server/step_aggregation.h"

#include <utility>

namespace lockstep::server {

StepAggregation::StepAggregation(ParameterStore* store, int shards, const optim::UpdateStep& step)
    : store_(store), step_(step), missing_(store->chunk_count()) {
  for (int i = 0; i < store->chunk_count(); ++i) {
    chunks_.push_back(std::make_unique<Chunk>(shards));
  }
}

StepAggregation::ChunkRange StepAggregation::Add(int chunk, const ShardNode& node, Tensor sum) {
  const bool whole = store_->NeedsWholeGradient();
  {
    Chunk& target = *chunks_[chunk];
    absl::MutexLock lock(&target.mutex);
    if (target.tree.Add(node, std::move(sum)) != ReductionResult::kComplete) return {};
    if (whole) {
      store_->KeepChunk(chunk, target.tree.root());
    } else {
      store_->ApplyChunk(chunk, target.tree.root(), step_);
    }
    // The tree goes on recognising late copies; the memory is not needed.
    target.tree.root() = Tensor();
  }
  if (!whole) return {chunk, chunk + 1};
  if (missing_.fetch_sub(1, std::memory_order_acq_rel) > 1) return {};
  store_->ApplyAll(step_);
  return {0, store_->chunk_count()};
}

}  // namespace lockstep::server
