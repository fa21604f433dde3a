// Where the virtual shards lie in the batch that this thread is computing, so
// that gradients which sum over examples follow the shard tree
// (engine/shard_tree.h) although the batch is computed as one.
//
// Example, a node of three shards with 4, 0 and 3 examples:
//   ShardCuts scope({0, 4, 4, 7});
//   Variable losses = ...;                        // on all 7 rows
//   losses.Backward(Tensor::Full({7}, 1));        // leaf gradients: the tree's sum
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_SHARD_CUTS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_SHARD_CUTS_H_

#include <cstdint>
#include <memory>

#include "absl/types/span.h"
#include "engine/block_pool.h"

namespace lockstep::autograd {

// Operations look at the scope when they run forward; their backward may run
// after it has ended. Scopes nest; the innermost counts. Without one, a whole
// batch is one shard.
// Threads: each has its own scopes.
class ShardCuts {
 public:
  // Shard i takes rows [cuts[i], cuts[i + 1]) of the batch (the first axis).
  // Requires: at least two cuts, ascending from 0; equal neighbours are an
  // empty shard, whose gradient is +0.
  explicit ShardCuts(absl::Span<const int64_t> cuts);
  ~ShardCuts();
  ShardCuts(const ShardCuts&) = delete;
  ShardCuts& operator=(const ShardCuts&) = delete;

  // False once an operation inside the scope could not keep shards apart (a
  // forward sum over the examples, say): the result is then not the shard
  // tree's, and the caller must run shard after shard instead.
  bool supported() const { return supported_; }

  // The innermost scope's cuts where they make more than one shard, else null.
  static std::shared_ptr<const PooledVector<int64_t>> Current();
  // For operations that cannot keep shards apart; no effect outside a scope
  // with more than one shard.
  static void MarkUnsupported();
  // For operations after which the first axis, of `extent`, is another one: no
  // effect where it is not the batch's, but a parameter's, say.
  static void MarkFirstAxisChanged(int64_t extent);

 private:
  const std::shared_ptr<const PooledVector<int64_t>> cuts_;
  ShardCuts* const outer_;
  bool supported_ = true;
};

// `cuts` in units of rows where each example has `rows / cuts.back()` of them;
// {0, rows} for null. Aborts unless cuts.back() divides `rows` (a batch with
// another number of examples than the scope says).
PooledVector<int64_t> RowCuts(const std::shared_ptr<const PooledVector<int64_t>>& cuts,
                              int64_t rows);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_SHARD_CUTS_H_
