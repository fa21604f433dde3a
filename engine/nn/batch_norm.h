// Batch normalisation over channels, as torch.nn.BatchNorm1d and BatchNorm2d.
#ifndef LOCKSTEP_ENGINE_NN_BATCH_NORM_H_
#define LOCKSTEP_ENGINE_NN_BATCH_NORM_H_

#include "engine/nn/module.h"

namespace lockstep::nn {

struct BatchNormOptions {
  double epsilon = 1e-5;
  // Share of what a step observed in the new running statistics.
  float momentum = 0.1f;
  bool affine = true;  // has weight and bias
};

// Under a TrainingScope each virtual shard is normalised by its own mean and
// variance, so that a model does not depend on who computed which shard, and the
// running statistics are moved by their average over the shards' examples
// (ParameterKind::kRunningStatistic). Otherwise by the running statistics.
// Bits: autograd::BatchNorm.
class BatchNorm : public Module {
 public:
  autograd::Variable Forward(const autograd::Variable& input) const override;
  absl::StatusOr<Shape> OutputShape(const Shape& example_shape) const override;
  // "weight", "bias" (both only if affine), "running_mean", "running_var", all
  // [features].
  std::vector<NamedParameter> NamedParameters() const override;
  // weight 1, bias 0, running_mean 0, running_var 1.
  void Initialize(uint64_t key, uint64_t first_parameter = 0) override;
  bool SupportsShardCuts() const override { return true; }
  std::string Describe() const override;

 protected:
  // `example_ranks`: how many axes an example may have. Requires: features >= 1.
  BatchNorm(const char* name, std::vector<int> example_ranks, int64_t features,
            const BatchNormOptions& options);

 private:
  const char* const name_;
  const std::vector<int> example_ranks_;
  const int64_t features_;
  const BatchNormOptions options_;
  autograd::Variable weight_;  // undefined where there is none
  autograd::Variable bias_;
  autograd::Variable running_mean_;
  autograd::Variable running_var_;
};

// Of examples [features] or [features, length].
class BatchNorm1d : public BatchNorm {
 public:
  explicit BatchNorm1d(int64_t features, const BatchNormOptions& options = {})
      : BatchNorm("BatchNorm1d", {1, 2}, features, options) {}
};

// Of examples [features, height, width].
class BatchNorm2d : public BatchNorm {
 public:
  explicit BatchNorm2d(int64_t features, const BatchNormOptions& options = {})
      : BatchNorm("BatchNorm2d", {3}, features, options) {}
};

}  // namespace lockstep::nn

#endif  // LOCKSTEP_ENGINE_NN_BATCH_NORM_H_
