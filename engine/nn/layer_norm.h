// Normalisation of each example by itself over its last axes, as
// torch.nn.LayerNorm and torch.nn.RMSNorm.
#ifndef LOCKSTEP_ENGINE_NN_LAYER_NORM_H_
#define LOCKSTEP_ENGINE_NN_LAYER_NORM_H_

#include "engine/nn/module.h"

namespace lockstep::nn {

// Brought to mean 0 and variance 1, times weight, plus bias.
class LayerNorm : public Module {
 public:
  struct Options {
    double epsilon = 1e-5;
    bool elementwise_affine = true;  // has a weight
    bool bias = true;                // and a bias
  };

  // `normalized_shape`: the last axes. Requires: at least one, extents >= 1.
  explicit LayerNorm(Shape normalized_shape) : LayerNorm(std::move(normalized_shape), Options()) {}
  LayerNorm(Shape normalized_shape, const Options& options);

  autograd::Variable Forward(const autograd::Variable& input) const override;
  absl::StatusOr<Shape> OutputShape(const Shape& example_shape) const override;
  // "weight", "bias", both of the normalised shape.
  std::vector<NamedParameter> NamedParameters() const override;
  // weight 1, bias 0.
  void Initialize(uint64_t key, uint64_t first_parameter = 0) override;
  bool SupportsShardCuts() const override { return true; }
  std::string Describe() const override;

 private:
  const Shape normalized_shape_;
  const Options options_;
  autograd::Variable weight_;  // undefined where there is none
  autograd::Variable bias_;
};

// Brought to mean square 1, times weight.
class RMSNorm : public Module {
 public:
  struct Options {
    // 0: float32's 2^-23, torch's default.
    double epsilon = 0;
    bool elementwise_affine = true;
  };

  explicit RMSNorm(Shape normalized_shape) : RMSNorm(std::move(normalized_shape), Options()) {}
  RMSNorm(Shape normalized_shape, const Options& options);

  autograd::Variable Forward(const autograd::Variable& input) const override;
  absl::StatusOr<Shape> OutputShape(const Shape& example_shape) const override;
  // "weight", of the normalised shape.
  std::vector<NamedParameter> NamedParameters() const override;
  // 1.
  void Initialize(uint64_t key, uint64_t first_parameter = 0) override;
  bool SupportsShardCuts() const override { return true; }
  std::string Describe() const override;

 private:
  const Shape normalized_shape_;
  const Options options_;
  autograd::Variable weight_;  // undefined where there is none
};

}  // namespace lockstep::nn

#endif  // LOCKSTEP_ENGINE_NN_LAYER_NORM_H_
