// A tensor that remembers how it was computed, and can therefore compute its
// gradient with respect to what it was computed from.
//
// Example:
//   Variable x(Tensor::Scalar(3), /*requires_grad=*/true);
//   Variable y = x * x + 1.0f;          // engine/autograd/arithmetic_ops.h
//   y.Backward();
//   x.grad().item();                    // 6
//
// Meaning as in PyTorch: gradients accumulate in leaves over several Backward
// calls until ZeroGrad; a graph can be gone through once unless it is retained.
//
// Threads: a graph, with its leaves, belongs to one thread at a time. Graphs
// that share no variable that requires a gradient may run at the same time.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_VARIABLE_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_VARIABLE_H_

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "absl/strings/string_view.h"
#include "engine/tensor.h"

namespace lockstep::autograd {

class Node;

// Sees a gradient when it is complete; may return another one of its shape and
// dtype to be used instead, or an undefined tensor.
using GradientHook = std::function<Tensor(const Tensor& gradient)>;

struct BackwardOptions {
  // True: this call's gradients replace what the leaves held (training with
  // gradient buffers, which then need no zeroing). False: they are added.
  bool overwrite_leaf_gradients = false;
  // Keep what the graph saved, so that Backward can go through it again.
  bool retain_graph = false;
};

// A handle: copies are the same variable. Default-constructed: undefined, only
// `defined()` may be asked.
class Variable {
 public:
  Variable() = default;
  // A leaf; its value may be unallocated until SetValue.
  explicit Variable(Tensor value, bool requires_grad = false);
  explicit Variable(float value, bool requires_grad = false)
      : Variable(Tensor::Scalar(value), requires_grad) {}

  bool defined() const { return state_ != nullptr; }
  const Tensor& value() const { return state_->value; }
  const Shape& shape() const { return value().shape(); }
  DType dtype() const { return value().dtype(); }
  int rank() const { return value().rank(); }
  int64_t dim(int axis) const { return value().dim(axis); }
  // Requires: one element.
  double item() const { return value().item(); }

  // Contagious: true for a result if it is for any input.
  bool requires_grad() const { return state_->node != nullptr; }
  bool is_leaf() const;
  // The operation that made it, as "multiply"; empty for a leaf.
  absl::string_view grad_fn() const;
  // The leaf's gradient; undefined before the first Backward and after
  // ZeroGrad. For results: undefined unless RetainGrad was called.
  const Tensor& grad() const;
  // Lets a result keep its gradient in Backward, for people to look at.
  void RetainGrad();
  // Forgets the gradient (the buffer stays).
  void ZeroGrad();
  // The same value as a leaf that requires no gradient.
  Variable Detach() const;
  // Whether both are handles of the same variable.
  bool Is(const Variable& other) const { return state_ == other.state_; }

  // Calls `hook` in every Backward and Grad, on its thread, when this variable's
  // gradient (of this pass) is complete: a leaf's before it goes into grad(), a
  // result's before it goes on to what the result was made from. Several hooks
  // are called in the order of their registration, each with what the one
  // before left. Returns a number for RemoveHook. The hook must not touch the
  // graph, nor register or remove hooks. Requires: requires_grad().
  int RegisterHook(GradientHook hook);
  // No effect where there is none of that number.
  void RemoveHook(int hook);

  // Computes the gradient of this variable (times `upstream`, of its shape;
  // without: of one element, times 1) with respect to all leaves under it.
  // Operations are gone through in the reverse order of their creation.
  // Requires: requires_grad(); a graph not gone through before, or retained.
  // Aborts with an explanation otherwise: only a wrong program gets there.
  void Backward(const BackwardOptions& options = {}) const;
  void Backward(const Tensor& upstream, const BackwardOptions& options = {}) const;

  // ---- Leaves only.

  // Another value of the same shape and dtype (new parameters). Graphs made before keep
  // the one they saw.
  void SetValue(Tensor value);
  // The value in another dtype, for all handles of this variable. Gradient, buffer
  // and hooks are forgotten; graphs made before keep the leaf they saw.
  void ConvertTo(DType dtype);
  // Backward writes the gradient into this memory, a view of a flat buffer
  // say; kernels write there directly where they can. grad() is this tensor
  // once a Backward has filled it. An undefined tensor: no buffer any more.
  // Requires: requires_grad(), the leaf's shape and dtype.
  void SetGradientBuffer(Tensor buffer);
  // Called within Backward, on its thread, as soon as this leaf's gradient is
  // complete, while the rest of the graph is still to come: to send it off.
  // Not called where a Backward does not reach the leaf. Null: none.
  // Requires: requires_grad(). The hook must not touch the graph.
  void SetGradientReadyHook(std::function<void()> hook);

  // "tensor([1, 2], requires_grad)", "tensor([1, 2], grad_fn=multiply)".
  std::string ToString() const;

  // For operations (node.h): null where no gradient is required.
  const std::shared_ptr<Node>& node() const { return state_->node; }
  Variable(Tensor value, std::shared_ptr<Node> node);

 private:
  struct State {
    Tensor value;
    std::shared_ptr<Node> node;
  };

  std::shared_ptr<State> state_;
};

std::ostream& operator<<(std::ostream& out, const Variable& variable);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_VARIABLE_H_
