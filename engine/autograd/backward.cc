// Variable::Backward: finds the operations under a result, goes through them
// newest first, and hands each the finished gradient of its result. Without
// recursion, so that a graph may be of any depth.
#include <algorithm>
#include <atomic>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/autograd/node.h"
#include "engine/autograd/variable.h"
#include "engine/check.h"

namespace lockstep::autograd {

// One call of Backward.
class BackwardRun {
 public:
  explicit BackwardRun(const BackwardOptions& options) : options_(options) {}

  void Run(Node& root, const Tensor& upstream) {
    FindOperations(root);
    root.awaited_ = 1;
    root.Accumulate(upstream, options_.overwrite_leaf_gradients);
    if (root.is_leaf()) return root.FinishLeaf(options_.overwrite_leaf_gradients);
    for (Node* operation : operations_) GoThrough(*operation);
  }

 private:
  // Sets operations_ to what `root` depends on, newest first, and each node's
  // awaited_ to the number of its uses among them. An operation is older than
  // those that use it, so its gradient is complete when its turn comes.
  void FindOperations(Node& root) {
    static std::atomic<uint64_t> runs{0};
    number_ = 1 + runs.fetch_add(1, std::memory_order_relaxed);
    std::vector<Node*> unseen;
    Visit(root, &unseen);
    while (!unseen.empty()) {
      Node* node = unseen.back();
      unseen.pop_back();
      if (node->is_leaf()) continue;
      operations_.push_back(node);
      for (const std::shared_ptr<Node>& input : node->inputs()) {
        if (input == nullptr) continue;
        Visit(*input, &unseen);
        ++input->awaited_;
      }
    }
    std::sort(operations_.begin(), operations_.end(), [](const Node* a, const Node* b) {
      return a->sequence_number() > b->sequence_number();
    });
    CheckNotReleased();
  }

  void Visit(Node& node, std::vector<Node*>* unseen) {
    if (node.visited_by_ == number_) return;
    node.visited_by_ = number_;
    node.awaited_ = 0;
    node.sum_ = Tensor();
    node.destination_ = Tensor();
    unseen->push_back(&node);
  }

  // Before anything is computed, so that no leaf is left half done.
  void CheckNotReleased() const {
    for (const Node* operation : operations_) {
      LOCKSTEP_CHECK(operation->backward_ != nullptr,
                     absl::StrCat("Backward goes a second time through ", operation->name(),
                                  ", whose saved values are gone; give the first call "
                                  "retain_graph to keep them"));
    }
  }

  void GoThrough(Node& operation) {
    const Tensor upstream = std::move(operation.sum_);
    operation.sum_ = Tensor();
    if (operation.retain_gradient_) operation.gradient_ = upstream.Clone();
    InputGradients gradients(operation, options_.overwrite_leaf_gradients);
    operation.backward_(upstream, gradients);
    const auto wanted = std::count_if(operation.inputs().begin(), operation.inputs().end(),
                                      [](const auto& input) { return input != nullptr; });
    LOCKSTEP_CHECK_EQ(gradients.added_, wanted);
    if (!options_.retain_graph) operation.backward_ = nullptr;
  }

  const BackwardOptions options_;
  uint64_t number_ = 0;
  std::vector<Node*> operations_;
};

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
  BackwardRun(options).Run(*state_->node, upstream);
}

}  // namespace lockstep::autograd
