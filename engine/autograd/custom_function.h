// A user's own operation, with a gradient of its own.
//
//   class Cube : public CustomFunction {
//    public:
//     const char* name() const override { return "cube"; }
//     Tensor Forward(absl::Span<const Tensor> inputs, SavedTensors& saved) override {
//       saved.Save(inputs[0]);
//       ...                                                // x * x * x
//     }
//     void Backward(const Tensor& upstream, const SavedTensors& saved,
//                   InputGradients& gradients) override {
//       Tensor dx = gradients.Destination(0);
//       ...                                                // 3 x^2 upstream, from saved[0]
//       gradients.Add(0, dx);
//     }
//   };
//   Variable y = Apply(std::make_shared<Cube>(), {x});
//
// An operation of the engine itself uses MakeResult (node.h) instead.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_CUSTOM_FUNCTION_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_CUSTOM_FUNCTION_H_

#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "engine/autograd/node.h"
#include "engine/autograd/variable.h"
#include "engine/tensor.h"

namespace lockstep::autograd {

// What a forward keeps for its backward. Freed by the backward unless the graph
// is retained.
class SavedTensors {
 public:
  void Save(Tensor tensor) { tensors_.push_back(std::move(tensor)); }
  // In the order of saving.
  const Tensor& operator[](size_t i) const;
  size_t size() const { return tensors_.size(); }

 private:
  std::vector<Tensor> tensors_;
};

// One use of the function: what the gradient needs beside tensors (an
// exponent, say) are members of the derived class.
// Shard cuts: a function that sums over examples reads ShardCuts::Current() in
// Forward, or calls ShardCuts::MarkUnsupported().
class CustomFunction {
 public:
  virtual ~CustomFunction() = default;

  // Shown by grad_fn and in messages; must live forever.
  virtual const char* name() const = 0;
  // Computes the result. Called once.
  virtual Tensor Forward(absl::Span<const Tensor> inputs, SavedTensors& saved) = 0;
  // Adds the gradient of each wanted input (InputGradients, node.h).
  virtual void Backward(const Tensor& upstream, const SavedTensors& saved,
                        InputGradients& gradients) = 0;

  // For Grad with create_graph: the gradients as operations on variables.
  virtual bool differentiable_twice() const { return false; }
  virtual void BackwardOnVariables(const Variable& upstream, const SavedTensors& saved,
                                   GraphGradients& gradients);
};

// Runs the function on the inputs' values and remembers it in the graph.
// Requires: defined inputs.
Variable Apply(const std::shared_ptr<CustomFunction>& function,
               const std::vector<Variable>& inputs);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_CUSTOM_FUNCTION_H_
