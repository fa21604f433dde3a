// What Backward and Grad begin with: the operations under some results.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_GRAPH_SEARCH_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_GRAPH_SEARCH_H_

#include "absl/types/span.h"
#include "engine/autograd/node.h"
#include "engine/block_pool.h"

namespace lockstep::autograd {

// One search. Without recursion, so that a graph may be of any depth.
class GraphSearch {
 public:
  // Everything that `roots` depend on, each node prepared for a backward:
  // awaited is the number of its uses, sums are empty, all are needed.
  // Aborts where a needed operation's saved values are gone; before anything is
  // computed, so that no leaf is left half done.
  explicit GraphSearch(absl::Span<Node* const> roots) : GraphSearch(roots, {}) {}
  // Only what lies between `roots` and `targets` is needed (unless there are none).
  GraphSearch(absl::Span<Node* const> roots, absl::Span<Node* const> targets);

  // Newest first: an operation is older than those that use it, so its gradient
  // is complete when its turn comes. Only needed ones.
  const PooledVector<Node*>& operations() const { return operations_; }

 private:
  void Visit(Node& node, PooledVector<Node*>* unseen) const;
  void DropWhatDoesNotReach(absl::Span<Node* const> targets);
  void CheckNotReleased() const;

  uint64_t number_ = 0;
  PooledVector<Node*> operations_;
};

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_GRAPH_SEARCH_H_
