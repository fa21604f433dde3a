// LAMB:
//   g = gradient_sum / batch_size
//   m = beta1 * m + (1 - beta1) * g;  v = beta2 * v + (1 - beta2) * g^2
//   u = (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon) + weight_decay * p
//   trust = |p| / |u|, 1 where either is 0, norms over the tensor
//   p = p - learning_rate * trust * u
// with t = 1 at the first step.
// Source: You and others, "Large Batch Optimization for Deep Learning" (2020),
// algorithm 2, with phi(z) = z.
#ifndef LOCKSTEP_ENGINE_OPTIM_LAMB_H_
#define LOCKSTEP_ENGINE_OPTIM_LAMB_H_

#include "engine/optim/optimizer.h"

namespace lockstep::optim {

struct LambOptions {
  double learning_rate = 0.001;  // > 0
  double beta1 = 0.9;            // 0 <= beta1 < 1
  double beta2 = 0.999;          // 0 <= beta2 < 1
  double epsilon = 1e-6;         // > 0
  double weight_decay = 0;       // >= 0
};

class Lamb : public Optimizer {
 public:
  // Requires: options within their ranges.
  explicit Lamb(const LambOptions& options);

  Granularity granularity() const override { return Granularity::kTensor; }
  const std::vector<std::string>& state_names() const override { return state_names_; }
  void Update(const UpdateStep& step, absl::Span<const float> gradient_sum,
              absl::Span<const float> parameter, absl::Span<const absl::Span<float>> state,
              absl::Span<float> new_parameter) const override;
  std::string Describe() const override;

 private:
  const LambOptions options_;
  std::vector<std::string> state_names_;
};

}  // namespace lockstep::optim

#endif  // LOCKSTEP_ENGINE_OPTIM_LAMB_H_
