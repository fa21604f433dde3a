// Normalisation of each example's groups of channels, as torch.nn.GroupNorm.
#ifndef LOCKSTEP_ENGINE_NN_GROUP_NORM_H_
#define LOCKSTEP_ENGINE_NN_GROUP_NORM_H_

#include "engine/nn/module.h"

namespace lockstep::nn {

class GroupNorm : public Module {
 public:
  // Requires: both >= 1, groups divides channels.
  GroupNorm(int64_t groups, int64_t channels, double epsilon = 1e-5, bool affine = true);

  autograd::Variable Forward(const autograd::Variable& input) const override;
  // Of examples [channels, axes...].
  absl::StatusOr<Shape> OutputShape(const Shape& example_shape) const override;
  // "weight", "bias" [channels], if affine.
  std::vector<NamedParameter> NamedParameters() const override;
  // weight 1, bias 0.
  void Initialize(uint64_t key, uint64_t first_parameter = 0) override;
  bool SupportsShardCuts() const override { return true; }
  std::string Describe() const override;

 private:
  const int64_t groups_;
  const int64_t channels_;
  const double epsilon_;
  autograd::Variable weight_;  // undefined where there is none
  autograd::Variable bias_;
};

}  // namespace lockstep::nn

#endif  // LOCKSTEP_ENGINE_NN_GROUP_NORM_H_
