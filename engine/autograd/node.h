// The graph that operations leave behind for Backward: a node for each result
// and for each leaf that wants a gradient. Authors of operations need this
// file; users of variables do not.
//
// An operation computes its result, then calls MakeResult with what turns the
// gradient of the result into gradients of the inputs:
//
//   Variable Exp(const Variable& x) {
//     Tensor y = ...;
//     return MakeResult("exp", y, {x}, [y](const Tensor& upstream, InputGradients& gradients) {
//       Tensor dx = gradients.Destination(0);
//       VisitFloating("exp", dx.dtype(), [&](auto zero) {
//         using T = decltype(zero);
//         kernels::Binary(BinaryOp::kMultiply, dx.element_count(), ..., dx.data<T>());
//       });
//       gradients.Add(0, dx);
//     });
//   }
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_NODE_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_NODE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "engine/autograd/variable.h"
#include "engine/tensor.h"

namespace lockstep::autograd {

// Where an operation's backward puts its inputs' gradients.
class InputGradients {
 public:
  // Whether input `i` needs a gradient. False: do not compute it.
  bool Wanted(int i) const;
  // Uninitialised memory of input `i`'s shape and dtype to compute its gradient in: the
  // leaf's gradient buffer itself where this is the leaf's first contribution.
  // Requires: Wanted(i); Add of the former destination, as one variable may be
  // several inputs.
  Tensor Destination(int i);
  // Contributes to input `i`'s gradient, exactly once for every wanted input.
  // `gradient` has the input's shape and dtype; it may share elements with the upstream
  // gradient or with what was given for another input. May call the leaf's
  // gradient-ready hook.
  void Add(int i, Tensor gradient);

 private:
  friend class BackwardRun;
  InputGradients(Node& node, bool overwrite) : node_(node), overwrite_(overwrite) {}

  Node& node_;
  const bool overwrite_;
  int added_ = 0;
};

// `upstream`: the gradient of the operation's result, of its shape.
using BackwardFunction = std::function<void(const Tensor& upstream, InputGradients& gradients)>;

// One operation's result or one leaf.
class Node {
 public:
  // A leaf has no name, no inputs and no backward.
  Node(Shape shape, DType dtype);
  Node(const char* name, Shape shape, DType dtype, std::vector<std::shared_ptr<Node>> inputs,
       BackwardFunction backward);
  // Iterative: a chain of any length is destroyed without recursion.
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  bool is_leaf() const { return name_ == nullptr; }
  // What the operation is called; empty for a leaf.
  absl::string_view name() const { return is_leaf() ? "" : name_; }
  const Shape& shape() const { return shape_; }
  // Of the value and of the gradient.
  DType dtype() const { return dtype_; }
  // In the operation's order; null where an input wants no gradient.
  const std::vector<std::shared_ptr<Node>>& inputs() const { return inputs_; }
  // Rises with every node that is made.
  uint64_t sequence_number() const { return sequence_number_; }

 private:
  friend class Variable;
  friend class InputGradients;
  friend class BackwardRun;

  // Adds one contribution of the present backward.
  void Accumulate(Tensor gradient, bool overwrite);
  // All contributions of the present backward are in.
  void FinishLeaf(bool overwrite);

  const char* const name_;
  const Shape shape_;
  const DType dtype_;
  const uint64_t sequence_number_;
  std::vector<std::shared_ptr<Node>> inputs_;
  // Null once released after a backward (and for leaves).
  BackwardFunction backward_;

  // What Variable::grad() shows: leaves, and results with RetainGrad().
  Tensor gradient_;
  bool retain_gradient_ = false;
  Tensor gradient_buffer_;
  std::function<void()> gradient_ready_hook_;

  // Of the present backward.
  uint64_t visited_by_ = 0;  // its number
  int awaited_ = 0;          // contributions not yet in
  Tensor sum_;               // of those that are
  bool sum_is_own_ = false;  // nobody else uses sum_'s elements
  Tensor destination_;       // handed out by Destination()
};

// The variable of an operation's result. It requires a gradient if any input
// does and gradients are enabled; only then is `backward`, with all it holds,
// kept. `name` must live forever. Backward gets gradients only by Tensor, never
// by Variable: nothing in the graph points forward, so it has no cycles.
Variable MakeResult(const char* name, Tensor value, std::initializer_list<Variable> inputs,
                    BackwardFunction backward);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_NODE_H_
