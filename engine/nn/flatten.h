// All axes but the first (the example) become one, as torch.nn.Flatten.
#ifndef LOCKSTEP_ENGINE_NN_FLATTEN_H_
#define LOCKSTEP_ENGINE_NN_FLATTEN_H_

#include "engine/nn/module.h"

namespace lockstep::nn {

class Flatten : public Module {
 public:
  autograd::Variable Forward(const autograd::Variable& input) const override;
  absl::StatusOr<Shape> OutputShape(const Shape& example_shape) const override;
  void Initialize(uint64_t, uint64_t) override {}
  bool SupportsShardCuts() const override { return true; }
  std::string Describe() const override { return "Flatten(start_dim=1, end_dim=-1)"; }
};

}  // namespace lockstep::nn

#endif  // LOCKSTEP_ENGINE_NN_FLATTEN_H_
