#include "engine/autograd/expand_ops.h"

#include "absl/strings/str_cat.h"
#include "engine/autograd/node.h"
#include "engine/autograd/shape_ops.h"
#include "engine/autograd/shard_cuts.h"
#include "engine/autograd/sum_tensors.h"
#include "engine/block_pool.h"
#include "engine/check.h"

namespace lockstep::autograd {
namespace {

// `shape` with its -1 replaced by what x has there.
Shape Completed(const Shape& x, const Shape& shape) {
  PooledVector<int64_t> extents = shape.extents();
  for (int i = 1; i <= shape.rank(); ++i) {
    int64_t& extent = extents[shape.rank() - i];
    if (extent != -1) continue;
    LOCKSTEP_CHECK(i <= x.rank(), absl::StrCat("expand: shape ", x.ToString(),
                                               " has no extent for ", shape.ToString()));
    extent = x.dim(-i);
  }
  return Shape(extents);
}

}  // namespace

Variable Expand(const Variable& x, const Shape& shape) {
  Tensor y = ExpandTensor(x.value(), Completed(x.shape(), shape));
  const Unbroadcast back(x.shape(), y.shape());
  return MakeResult(
      "expand", std::move(y), {x},
      WithGraph([back](const Tensor& upstream,
                       InputGradients& gradients) { gradients.Add(0, back(upstream)); },
                [back](const Variable& upstream, GraphGradients& gradients) {
                  gradients.Add(0, back(upstream));
                }));
}

Variable SumToShape(const Variable& x, const Shape& target, PooledVector<int64_t> batch_cuts) {
  const Shape shape = x.shape();
  return MakeResult("sum_to_shape", SumToShape(x.value(), target, batch_cuts), {x},
                    WithGraph(
                        [shape](const Tensor& upstream, InputGradients& gradients) {
                          gradients.Add(0, ExpandTensor(upstream, shape));
                        },
                        [shape](const Variable& upstream, GraphGradients& gradients) {
                          gradients.Add(0, Expand(upstream, shape));
                        }));
}

Unbroadcast::Unbroadcast(const Shape& operand, const Shape& result) : operand_(operand) {
  const std::shared_ptr<const PooledVector<int64_t>> cuts = ShardCuts::Current();
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

Variable Unbroadcast::operator()(const Variable& gradient) const {
  if (gradient.shape() == operand_) return gradient;
  return SumToShape(gradient, operand_, batch_cuts_);
}

}  // namespace lockstep::autograd
