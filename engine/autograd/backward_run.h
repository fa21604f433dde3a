// One pass of gradients, as tensors, through operations that a GraphSearch
// found. Shared by Backward and Grad.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_BACKWARD_RUN_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_BACKWARD_RUN_H_

#include "engine/autograd/graph_search.h"
#include "engine/autograd/node.h"

namespace lockstep::autograd {

class BackwardRun {
 public:
  // `overwrite`: gradients replace what leaves held. `capture`: leaves keep what
  // they held, and what came for them is taken by TakeSum.
  BackwardRun(bool overwrite, bool capture) : overwrite_(overwrite), capture_(capture) {}

  // Gives a result its gradient. Requires: the search is done.
  void Seed(Node& root, const Tensor& upstream);
  // Newest first. Returns the gradient of the operation's result, after its hooks.
  Tensor GoThrough(Node& operation, bool retain_graph);
  // What came for a node that is not gone through, after its hooks; undefined
  // where nothing did.
  Tensor TakeSum(Node& node);

 private:
  const bool overwrite_;
  const bool capture_;
};

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_BACKWARD_RUN_H_
