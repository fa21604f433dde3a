#include "server/step_aggregation.h"

#include <utility>

namespace lockstep::server {

StepAggregation::StepAggregation(ParameterStore* store, int shards, uint64_t step,
                                 double batch_size, double learning_rate_factor)
    : store_(store),
      step_(step),
      batch_size_(batch_size),
      learning_rate_factor_(learning_rate_factor) {
  for (int i = 0; i < store->chunk_count(); ++i) {
    chunks_.push_back(std::make_unique<Chunk>(shards));
  }
}

bool StepAggregation::Add(int chunk, const ShardNode& node, Tensor sum) {
  Chunk& target = *chunks_[chunk];
  absl::MutexLock lock(&target.mutex);
  if (target.tree.Add(node, std::move(sum)) != ReductionResult::kComplete) return false;
  store_->ApplyChunk(chunk, target.tree.root(), step_, batch_size_, learning_rate_factor_);
  // The tree goes on recognising late copies; the memory is not needed.
  target.tree.root() = Tensor();
  return true;
}

}  // namespace lockstep::server
