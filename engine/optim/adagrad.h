// Adagrad:
//   g = gradient_sum / batch_size + weight_decay * p
//   s = s + g^2                        (s starts at initial_accumulator_value)
//   p = p - learning_rate / (1 + step * learning_rate_decay) * g / (sqrt(s) + epsilon)
// Source: Duchi and others, "Adaptive Subgradient Methods" (2011); the form is
// torch.optim.Adagrad's.
#ifndef LOCKSTEP_ENGINE_OPTIM_ADAGRAD_H_
#define LOCKSTEP_ENGINE_OPTIM_ADAGRAD_H_

#include "engine/optim/optimizer.h"

namespace lockstep::optim {

struct AdagradOptions {
  double learning_rate = 0.01;           // > 0
  double learning_rate_decay = 0;        // >= 0
  double initial_accumulator_value = 0;  // >= 0
  double epsilon = 1e-10;                // > 0
  double weight_decay = 0;               // >= 0
};

class Adagrad : public Optimizer {
 public:
  // Requires: options within their ranges.
  explicit Adagrad(const AdagradOptions& options);

  const std::vector<std::string>& state_names() const override { return state_names_; }
  void Update(const UpdateStep& step, absl::Span<const float> gradient_sum,
              absl::Span<const float> parameter, absl::Span<const absl::Span<float>> state,
              absl::Span<float> new_parameter) const override;
  std::string Describe() const override;

 private:
  const AdagradOptions options_;
  std::vector<std::string> state_names_;
};

}  // namespace lockstep::optim

#endif  // LOCKSTEP_ENGINE_OPTIM_ADAGRAD_H_
