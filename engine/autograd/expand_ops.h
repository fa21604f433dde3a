// What broadcasting owes its operands: the gradient of a repeated operand.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_EXPAND_OPS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_EXPAND_OPS_H_

#include <cstdint>
#include <vector>

#include "engine/tensor.h"

namespace lockstep::autograd {

// Brings the gradient of a result back to the shape of an operand that was
// repeated: SumToShape (reduction_ops.h), over the batch axis by the shard tree.
class Unbroadcast {
 public:
  // Looks at the shard cuts, so it is made when the operation runs forward.
  Unbroadcast(const Shape& operand, const Shape& result);
  Tensor operator()(const Tensor& gradient) const;

 private:
  const Shape operand_;
  std::vector<int64_t> batch_cuts_;
};

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_EXPAND_OPS_H_
