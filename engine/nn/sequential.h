// Layers, one after another.
#ifndef LOCKSTEP_ENGINE_NN_SEQUENTIAL_H_
#define LOCKSTEP_ENGINE_NN_SEQUENTIAL_H_

#include <memory>
#include <string>
#include <vector>

#include "engine/nn/module.h"

namespace lockstep::nn {

class Sequential : public Module {
 public:
  Sequential() = default;
  explicit Sequential(std::vector<std::shared_ptr<Module>> layers) : layers_(std::move(layers)) {}

  // Returns itself, for chains of calls. The same layer may be appended twice:
  // its parameters are then shared.
  Sequential& Append(std::shared_ptr<Module> layer);

  // A Linear or a convolution that a ReLU follows is computed with it in one pass; same bits.
  autograd::Variable Forward(const autograd::Variable& input) const override;
  // Errors begin with the layer: "layer 2: ...".
  absl::StatusOr<Shape> OutputShape(const Shape& example_shape) const override;
  // "0.weight", "0.bias", "2.weight", ...; a shared one is listed once, under
  // its first name.
  std::vector<NamedParameter> NamedParameters() const override;
  void Initialize(uint64_t key, uint64_t first_parameter = 0) override;
  // All layers do and none shares parameters with another (whose gradients
  // would be added in another order).
  bool SupportsShardCuts() const override;
  std::string Describe() const override;

  const std::vector<std::shared_ptr<Module>>& layers() const { return layers_; }

 private:
  std::vector<std::shared_ptr<Module>> layers_;
};

}  // namespace lockstep::nn

#endif  // LOCKSTEP_ENGINE_NN_SEQUENTIAL_H_
