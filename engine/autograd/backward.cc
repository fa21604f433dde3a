// Variable::Backward: goes through the operations under a result, newest first,
// and hands each the finished gradient of its result.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/autograd/backward_run.h"
#include "engine/check.h"

namespace lockstep::autograd {

void BackwardRun::Seed(Node& root, const Tensor& upstream) {
  ++root.awaited_;
  root.Accumulate(upstream, overwrite_);
  if (--root.awaited_ == 0 && root.is_leaf() && !capture_) root.FinishLeaf(overwrite_);
}

Tensor BackwardRun::GoThrough(Node& operation, bool retain_graph) {
  operation.RunHooks();
  Tensor upstream = std::move(operation.sum_);
  operation.sum_ = Tensor();
  if (operation.extras_ != nullptr && operation.extras_->retain_gradient && !capture_) {
    operation.extras_->gradient = upstream.Clone();
  }
  InputGradients gradients(operation, upstream, overwrite_, capture_);
  operation.RunBackward(upstream, gradients);
  const auto wanted = std::count_if(operation.inputs_.begin(), operation.inputs_.end(),
                                    [](const auto& input) { return input && input->needed_; });
  LOCKSTEP_CHECK(gradients.added_ == wanted,
                 absl::StrCat("backward of ", operation.name(), " gave ", gradients.added_,
                              " gradients, want ", wanted));
  if (!retain_graph) operation.Release();
  return upstream;
}

Tensor BackwardRun::TakeSum(Node& node) {
  if (!node.sum_.defined()) return Tensor();
  node.RunHooks();
  Tensor sum = node.sum_is_own_ ? std::move(node.sum_) : node.sum_.Clone();
  node.sum_ = Tensor();
  return sum;
}

void Variable::Backward(const BackwardOptions& options) const {
  LOCKSTEP_CHECK(value().element_count() == 1,
                 absl::StrCat("Backward without an upstream gradient wants one element, got shape ",
                              shape().ToString()));
  Backward(Tensor::Full(shape(), 1, dtype()), options);
}

void Variable::Backward(const Tensor& upstream, const BackwardOptions& options) const {
  LOCKSTEP_CHECK(requires_grad(), "Backward of a variable that requires no gradient");
  LOCKSTEP_CHECK(upstream.shape() == shape() && upstream.dtype() == dtype(),
                 absl::StrCat("upstream gradient: got ", DTypeName(upstream.dtype()), " ",
                              upstream.shape().ToString(), ", want ", DTypeName(dtype()), " ",
                              shape().ToString()));
  Node* const root = state_->node.get();
  const GraphSearch search(absl::MakeConstSpan(&root, 1));
  BackwardRun run(options.overwrite_leaf_gradients, /*capture=*/false);
  run.Seed(*root, upstream);
  for (Node* operation : search.operations()) run.GoThrough(*operation, options.retain_graph);
}

}  // namespace lockstep::autograd
