#include "server/step_aggregation.h"

#include <utility>

#include "engine/kernels/parallel.h"

namespace lockstep::server {

StepAggregation::StepAggregation(ParameterStore* store, int shards, const optim::UpdateStep& step,
                                 bool bfloat16)
    : store_(store), step_(step), missing_(store->chunk_count()) {
  for (int i = 0; i < store->chunk_count(); ++i) {
    chunks_.push_back(std::make_unique<Chunk>(shards, bfloat16));
  }
}

StepAggregation::ChunkRange StepAggregation::Add(int chunk, const ShardNode& node, Tensor sum) {
  const bool whole = store_->NeedsWholeGradient();
  {
    Chunk& target = *chunks_[chunk];
    // Chunks come on several threads, while workers may be busy on other cores.
    const kernels::OneThread one_thread;
    absl::MutexLock lock(&target.mutex);
    const bool foreign = sum.storage()->foreign();
    const ReductionResult result = target.tree.Add(node, std::move(sum));
    if (result == ReductionResult::kStored && foreign) {
      // Null where it has joined its sibling, which is the server's own.
      if (Tensor* const kept = target.tree.Find(node)) *kept = kept->Clone();
    }
    NoteSums(static_cast<int>(target.tree.size()));
    if (result != ReductionResult::kComplete) return {};
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

void StepAggregation::NoteSums(int held) {
  int most = most_sums();
  while (held > most && !most_sums_.compare_exchange_weak(most, held, std::memory_order_relaxed)) {
  }
}

}  // namespace lockstep::server
