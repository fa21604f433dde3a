// Elements repeated, and the sum that takes repetition back: what broadcasting
// is made of.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_EXPAND_OPS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_EXPAND_OPS_H_

#include <cstdint>

#include "engine/autograd/variable.h"
#include "engine/block_pool.h"

namespace lockstep::autograd {

// `x` repeated (a copy) to `shape`, by NumPy's broadcasting; -1 keeps an extent
// of x. Aborts, naming both shapes, where x does not broadcast to it.
// The gradient is summed over the repeats; over the batch axis by the shard
// tree (Unbroadcast).
Variable Expand(const Variable& x, const Shape& shape);

// SumToShape of sum_tensors.h on a variable.
Variable SumToShape(const Variable& x, const Shape& target, PooledVector<int64_t> batch_cuts = {});

// Brings gradients back to the shape of an operand that was repeated.
class Unbroadcast {
 public:
  // Looks at the shard cuts, so it is made when the operation runs forward:
  // where the first axis is repeated and is the batch's, the sum over it
  // follows the shard tree; where it is another, ShardCuts::MarkUnsupported.
  Unbroadcast(const Shape& operand, const Shape& result);

  Tensor operator()(const Tensor& gradient) const;
  Variable operator()(const Variable& gradient) const;

 private:
  const Shape operand_;
  PooledVector<int64_t> batch_cuts_;
};

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_EXPAND_OPS_H_
