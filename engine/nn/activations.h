// Layers without parameters that work element by element.
#ifndef LOCKSTEP_ENGINE_NN_ACTIVATIONS_H_
#define LOCKSTEP_ENGINE_NN_ACTIVATIONS_H_

#include "engine/nn/module.h"

namespace lockstep::nn {

// What they have in common: any shape, unchanged.
class ElementwiseLayer : public Module {
 public:
  absl::StatusOr<Shape> OutputShape(const Shape& example_shape) const override {
    return example_shape;
  }
  void Initialize(uint64_t, uint64_t) override {}
  bool SupportsShardCuts() const override { return true; }
};

// max(x, 0).
class ReLU : public ElementwiseLayer {
 public:
  autograd::Variable Forward(const autograd::Variable& input) const override;
  std::string Describe() const override { return "ReLU()"; }
};

class Tanh : public ElementwiseLayer {
 public:
  autograd::Variable Forward(const autograd::Variable& input) const override;
  std::string Describe() const override { return "Tanh()"; }
};

// 1 / (1 + exp(-x)).
class Sigmoid : public ElementwiseLayer {
 public:
  autograd::Variable Forward(const autograd::Variable& input) const override;
  std::string Describe() const override { return "Sigmoid()"; }
};

}  // namespace lockstep::nn

#endif  // LOCKSTEP_ENGINE_NN_ACTIVATIONS_H_
