// Adam:
//   g = gradient_sum / batch_size + weight_decay * p
//   m = beta1 * m + (1 - beta1) * g
//   v = beta2 * v + (1 - beta2) * g^2
//   p = p - learning_rate * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)
// with t = 1 at the first step.
// Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2015),
// algorithm 1; weight decay as torch.optim.Adam (added to the gradient).
#ifndef LOCKSTEP_ENGINE_OPTIM_ADAM_H_
#define LOCKSTEP_ENGINE_OPTIM_ADAM_H_

#include "engine/optim/optimizer.h"

namespace lockstep::optim {

struct AdamOptions {
  double learning_rate = 0.001;  // > 0
  double beta1 = 0.9;            // 0 <= beta1 < 1
  double beta2 = 0.999;          // 0 <= beta2 < 1
  double epsilon = 1e-8;         // > 0
  double weight_decay = 0;       // >= 0
};

class Adam : public Optimizer {
 public:
  // Requires: options within their ranges.
  explicit Adam(const AdamOptions& options);

  const std::vector<std::string>& state_names() const override { return state_names_; }
  void Update(uint64_t step, double batch_size, double learning_rate_factor,
              absl::Span<const float> gradient_sum, absl::Span<const float> parameter,
              absl::Span<const absl::Span<float>> state,
              absl::Span<float> new_parameter) const override;
  std::string Describe() const override;

 private:
  const AdamOptions options_;
  const std::vector<std::string> state_names_;
};

}  // namespace lockstep::optim

#endif  // LOCKSTEP_ENGINE_OPTIM_ADAM_H_
