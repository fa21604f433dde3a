// The graph that operations leave behind for Backward and Grad: a node for each
// result and for each leaf that wants a gradient. Authors of operations need
// this file; users of variables do not.
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
//
// Higher-order gradients (Grad with create_graph) need the gradient as
// operations on variables too. An operation that offers it gives MakeResult
// both, the second with GraphGradients:
//
//   WithGraph([y](const Tensor& upstream, InputGradients& gradients) { as above },
//             [y](const Variable& upstream, GraphGradients& gradients) {
//               gradients.Add(0, Multiply(upstream, gradients.Result(y)));
//             })
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_NODE_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_NODE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "engine/autograd/operation_observer.h"
#include "engine/autograd/variable.h"
#include "engine/block_pool.h"
#include "engine/tensor.h"

namespace lockstep::autograd {

// Where an operation's backward puts its inputs' gradients.
class InputGradients {
 public:
  // Whether input `i` needs a gradient. False: do not compute it.
  bool Wanted(int i) const;
  // Uninitialised memory of input `i`'s shape and dtype to compute its gradient
  // in: the leaf's gradient buffer itself where this is the leaf's first
  // contribution. Requires: Wanted(i); Add of the former destination, as one
  // variable may be several inputs.
  Tensor Destination(int i);
  // Contributes to input `i`'s gradient, exactly once for every wanted input.
  // `gradient` has the input's shape and dtype; it may share elements with the
  // upstream gradient or with what was given for another input. May call the
  // leaf's hooks.
  void Add(int i, Tensor gradient);

 private:
  friend class BackwardRun;
  // `capture`: leaves keep what they had; the run takes their sums itself.
  InputGradients(Node& node, const Tensor& upstream, bool overwrite, bool capture)
      : node_(node), upstream_(upstream), overwrite_(overwrite), capture_(capture) {}

  Node& node_;
  const Tensor& upstream_;
  const bool overwrite_;
  const bool capture_;
  int added_ = 0;
};

// The same for gradients that can be differentiated again: variables, made by
// operations on variables.
class GraphGradients {
 public:
  bool Wanted(int i) const;
  // Input `i` as the operation saw it, with its place in the graph; `value` is
  // what the operation saved of it.
  Variable Input(int i, const Tensor& value) const;
  // The operation's own result likewise.
  Variable Result(const Tensor& value) const;
  // As InputGradients::Add.
  void Add(int i, Variable gradient);

 private:
  friend class GraphBackwardRun;
  GraphGradients(Node& node, std::vector<Variable>* sums) : node_(node), sums_(sums) {}

  Node& node_;
  std::vector<Variable>* const sums_;  // one per input; undefined: not yet added
};

// `upstream`: the gradient of the operation's result, of its shape.
using BackwardFunction = std::function<void(const Tensor& upstream, InputGradients& gradients)>;

// One leaf, or (OperationNode) one operation's result.
class Node : public std::enable_shared_from_this<Node> {
 public:
  using Inputs =
      absl::InlinedVector<std::shared_ptr<Node>, 3, PoolAllocator<std::shared_ptr<Node>>>;

  // A leaf has no name, no inputs and no backward.
  Node(Shape shape, DType dtype) : Node(nullptr, std::move(shape), dtype, {}) {}
  // Iterative: a chain of any length is destroyed without recursion.
  virtual ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  bool is_leaf() const { return name_ == nullptr; }
  // What the operation is called; empty for a leaf.
  absl::string_view name() const { return is_leaf() ? "" : name_; }
  const Shape& shape() const { return shape_; }
  // Of the value and of the gradient.
  DType dtype() const { return dtype_; }
  // In the operation's order; null where an input wants no gradient.
  absl::Span<const std::shared_ptr<Node>> inputs() const { return inputs_; }
  // Rises with every node that is made.
  uint64_t sequence_number() const { return sequence_number_; }
  // Whether Grad with create_graph can go through it.
  virtual bool differentiable_twice() const { return is_leaf(); }
  // Whether what it saved is gone after a backward.
  virtual bool released() const { return false; }
  // "multiply [2, 3] #17"; "leaf [3] #2".
  std::string ToString() const;

 protected:
  Node(const char* name, Shape shape, DType dtype, Inputs inputs);

  virtual void RunBackward(const Tensor& upstream, InputGradients& gradients);
  // Aborts, naming the operation, where it does not offer it.
  virtual void RunGraphBackward(const Variable& upstream, GraphGradients& gradients);
  virtual void Release() {}

 private:
  friend class Variable;
  friend class InputGradients;
  friend class GraphGradients;
  friend class GraphSearch;
  friend class BackwardRun;
  friend class GraphBackwardRun;

  // What few nodes have: leaves, and results that somebody looks at.
  struct Extras {
    // What Variable::grad() shows.
    Tensor gradient;
    bool retain_gradient = false;
    Tensor gradient_buffer;
    std::function<void()> gradient_ready_hook;
    int next_hook = 0;
    std::vector<std::pair<int, GradientHook>> hooks;
  };
  Extras& extras();
  const Tensor& gradient() const;
  bool has_gradient_buffer() const { return extras_ && extras_->gradient_buffer.defined(); }

  // Adds one contribution of the present backward.
  void Accumulate(Tensor gradient, bool overwrite);
  // Lets the hooks look at the finished sum and replace it.
  void RunHooks();
  // All contributions of the present backward are in.
  void FinishLeaf(bool overwrite);

  const char* const name_;
  const Shape shape_;
  const DType dtype_;
  bool sum_is_own_ = false;  // nobody else uses sum_'s elements
  bool needed_ = true;       // by the present run
  const uint64_t sequence_number_;
  Inputs inputs_;
  std::unique_ptr<Extras> extras_;

  // Of the present backward.
  uint64_t visited_by_ = 0;  // its number
  int awaited_ = 0;          // contributions not yet in
  Tensor sum_;               // of those that are
  Tensor destination_;       // handed out by Destination()
};

// An operation with its backward, in one block of memory.
template <class F>
class OperationNode final : public Node {
 public:
  OperationNode(const char* name, Shape shape, DType dtype, Inputs inputs, F backward)
      : Node(name, std::move(shape), dtype, std::move(inputs)), backward_(std::move(backward)) {}

  bool differentiable_twice() const override { return kDifferentiableTwice; }
  bool released() const override { return !backward_.has_value(); }

 private:
  static constexpr bool kDifferentiableTwice =
      std::is_invocable_v<F&, const Variable&, GraphGradients&>;

  void RunBackward(const Tensor& upstream, InputGradients& gradients) override {
    (*backward_)(upstream, gradients);
  }
  void RunGraphBackward(const Variable& upstream, GraphGradients& gradients) override {
    if constexpr (kDifferentiableTwice) {
      (*backward_)(upstream, gradients);
    } else {
      Node::RunGraphBackward(upstream, gradients);  // explains
    }
  }
  void Release() override { backward_.reset(); }

  std::optional<F> backward_;
};

// A backward on tensors, and the same as operations on variables.
template <class OnTensors, class OnVariables>
class WithGraph {
 public:
  WithGraph(OnTensors on_tensors, OnVariables on_variables)
      : on_tensors_(std::move(on_tensors)), on_variables_(std::move(on_variables)) {}

  void operator()(const Tensor& upstream, InputGradients& gradients) {
    on_tensors_(upstream, gradients);
  }
  void operator()(const Variable& upstream, GraphGradients& gradients) {
    on_variables_(upstream, gradients);
  }

 private:
  OnTensors on_tensors_;
  OnVariables on_variables_;
};

namespace node_internal {
// The nodes of `inputs` where a result of them must be recorded; else nothing.
std::optional<Node::Inputs> WantedInputs(absl::Span<const Variable> inputs);
}  // namespace node_internal

// The variable of an operation's result. It requires a gradient if any input
// does and gradients are enabled; only then is `backward`, with all it holds,
// kept. `name` must live forever. Undefined inputs are allowed and count.
// Backward gets gradients only by Tensor, never by Variable, and keeps no
// Variable: nothing in the graph points forward, so it has no cycles, and long
// chains are freed without recursion.
template <class F>
Variable MakeResult(const char* name, Tensor value, absl::Span<const Variable> inputs, F backward) {
  std::optional<Node::Inputs> wanted = node_internal::WantedInputs(inputs);
  std::shared_ptr<Node> node;
  if (wanted.has_value()) {
    using Operation = OperationNode<F>;
    node = std::allocate_shared<Operation>(PoolAllocator<Operation>(), name, value.shape(),
                                           value.dtype(), *std::move(wanted), std::move(backward));
  }
  Variable result(std::move(value), std::move(node));
  if (OperationObserver::Any()) OperationObserver::NotifyResult(name, result, inputs);
  return result;
}
template <class F>
Variable MakeResult(const char* name, Tensor value, std::initializer_list<Variable> inputs,
                    F backward) {
  return MakeResult(name, std::move(value), absl::MakeConstSpan(inputs.begin(), inputs.size()),
                    std::move(backward));
}

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_NODE_H_
