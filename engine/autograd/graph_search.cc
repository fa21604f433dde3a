#include "engine/autograd/graph_search.h"

#include <algorithm>
#include <atomic>

#include "absl/strings/str_cat.h"
#include "engine/block_pool.h"
#include "engine/check.h"

namespace lockstep::autograd {

GraphSearch::GraphSearch(absl::Span<Node* const> roots, absl::Span<Node* const> targets) {
  static std::atomic<uint64_t> searches{0};
  number_ = 1 + searches.fetch_add(1, std::memory_order_relaxed);
  PooledVector<Node*> unseen;
  for (Node* root : roots) Visit(*root, &unseen);
  while (!unseen.empty()) {
    Node* const node = unseen.back();
    unseen.pop_back();
    if (node->is_leaf()) continue;
    operations_.push_back(node);
    for (const std::shared_ptr<Node>& input : node->inputs_) {
      if (input == nullptr) continue;
      Visit(*input, &unseen);
      ++input->awaited_;
    }
  }
  const auto newer = [](const Node* a, const Node* b) {
    return a->sequence_number() > b->sequence_number();
  };
  // A chain is found newest first.
  if (!std::is_sorted(operations_.begin(), operations_.end(), newer)) {
    std::sort(operations_.begin(), operations_.end(), newer);
  }
  if (!targets.empty()) DropWhatDoesNotReach(targets);
  CheckNotReleased();
}

void GraphSearch::Visit(Node& node, PooledVector<Node*>* unseen) const {
  if (node.visited_by_ == number_) return;
  node.visited_by_ = number_;
  node.awaited_ = 0;
  node.needed_ = true;
  if (node.sum_.defined()) node.sum_ = Tensor();
  if (node.destination_.defined()) node.destination_ = Tensor();
  unseen->push_back(&node);
}

void GraphSearch::DropWhatDoesNotReach(absl::Span<Node* const> targets) {
  for (Node* operation : operations_) {
    operation->needed_ = false;
    for (const std::shared_ptr<Node>& input : operation->inputs_) {
      if (input != nullptr) input->needed_ = false;
    }
  }
  for (Node* target : targets) target->needed_ = true;
  PooledVector<Node*> needed;
  for (auto it = operations_.rbegin(); it != operations_.rend(); ++it) {
    Node* const operation = *it;
    const bool leads_on = std::any_of(
        operation->inputs_.begin(), operation->inputs_.end(),
        [](const std::shared_ptr<Node>& input) { return input != nullptr && input->needed_; });
    if (leads_on) {
      operation->needed_ = true;
      needed.push_back(operation);
    }
  }
  operations_.assign(needed.rbegin(), needed.rend());
}

void GraphSearch::CheckNotReleased() const {
  for (const Node* operation : operations_) {
    LOCKSTEP_CHECK(!operation->released(),
                   absl::StrCat("Backward goes a second time through ", operation->name(),
                                ", whose saved values are gone; give the first call "
                                "retain_graph to keep them"));
  }
}

}  // namespace lockstep::autograd
