// y = layers(x) + shortcut(x): a block that learns what to add to its input.
// torch.nn has no such class; people write it into their forward().
#ifndef LOCKSTEP_ENGINE_NN_RESIDUAL_H_
#define LOCKSTEP_ENGINE_NN_RESIDUAL_H_

#include <memory>
#include <string>
#include <vector>

#include "engine/nn/module.h"

namespace lockstep::nn {

class Residual : public Module {
 public:
  // `shortcut`: null: x itself. Requires: `layers` is not null.
  explicit Residual(std::shared_ptr<Module> layers, std::shared_ptr<Module> shortcut = nullptr)
      : layers_(std::move(layers)), shortcut_(std::move(shortcut)) {}

  // Order, float32: layers(x) + shortcut(x), that one addition per element.
  autograd::Variable Forward(const autograd::Variable& input) const override;
  // Errors: also where the two sides' shapes differ.
  absl::StatusOr<Shape> OutputShape(const Shape& example_shape) const override;
  // "layers.<name>", then "shortcut.<name>".
  std::vector<NamedParameter> NamedParameters() const override;
  void Initialize(uint64_t key, uint64_t first_parameter = 0) override;
  bool SupportsShardCuts() const override;
  std::string Describe() const override;

 private:
  const std::shared_ptr<Module> layers_;
  const std::shared_ptr<Module> shortcut_;
};

}  // namespace lockstep::nn

#endif  // LOCKSTEP_ENGINE_NN_RESIDUAL_H_
