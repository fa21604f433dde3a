#include "engine/autograd/expand_ops.h"

#include <memory>

#include "engine/autograd/reduction_ops.h"
#include "engine/autograd/shard_cuts.h"

namespace lockstep::autograd {

Unbroadcast::Unbroadcast(const Shape& operand, const Shape& result) : operand_(operand) {
  const std::shared_ptr<const std::vector<int64_t>> cuts = ShardCuts::Current();
  if (cuts == nullptr || operand == result) return;
  const bool over_batch =
      result.rank() > 0 && (operand.rank() < result.rank() || operand.dim(0) != result.dim(0));
  if (!over_batch) return;
  if (result.dim(0) == cuts->back()) {
    batch_cuts_ = *cuts;
  } else {
    ShardCuts::MarkUnsupported();
  }
}

Tensor Unbroadcast::operator()(const Tensor& gradient) const {
  if (gradient.shape() == operand_) return gradient;
  return SumToShape(gradient, operand_, batch_cuts_);
}

}  // namespace lockstep::autograd
