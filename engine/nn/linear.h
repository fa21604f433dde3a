// y = x W^T + b over the last axis, as torch.nn.Linear.
#ifndef LOCKSTEP_ENGINE_NN_LINEAR_H_
#define LOCKSTEP_ENGINE_NN_LINEAR_H_

#include "engine/kernels/matmul.h"
#include "engine/nn/module.h"

namespace lockstep::nn {

class Linear : public Module {
 public:
  // Requires: both sizes >= 1.
  Linear(int64_t in_features, int64_t out_features, bool bias = true);

  autograd::Variable Forward(const autograd::Variable& input) const override;
  // The same, then relu in the same pass: the same bits as two layers.
  autograd::Variable ForwardRelu(const autograd::Variable& input) const;
  absl::StatusOr<Shape> OutputShape(const Shape& example_shape) const override;
  // "weight" [out, in], then "bias" [out] where there is one.
  std::vector<NamedParameter> NamedParameters() const override;
  // Uniform in +-1/sqrt(in_features), weight and bias, as torch.nn.Linear.
  // Order, float32: bound = 1 / sqrt(in); InitializeUniform.
  void Initialize(uint64_t key, uint64_t first_parameter = 0) override;
  bool SupportsShardCuts() const override { return true; }
  std::string Describe() const override;

  int64_t in_features() const { return in_features_; }
  int64_t out_features() const { return out_features_; }
  const autograd::Variable& weight() const { return weight_; }
  // Undefined where there is none.
  const autograd::Variable& bias() const { return bias_; }

 private:
  const int64_t in_features_;
  const int64_t out_features_;
  autograd::Variable weight_;
  autograd::Variable bias_;
};

}  // namespace lockstep::nn

#endif  // LOCKSTEP_ENGINE_NN_LINEAR_H_
