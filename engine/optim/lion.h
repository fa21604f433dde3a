// Lion:
//   g = gradient_sum / batch_size
//   p = p * (1 - learning_rate * weight_decay)
//   p = p - learning_rate * sign(beta1 * m + (1 - beta1) * g)
//   m = beta2 * m + (1 - beta2) * g
// Source: Chen and others, "Symbolic Discovery of Optimization Algorithms"
// (2023), algorithm 2.
#ifndef LOCKSTEP_ENGINE_OPTIM_LION_H_
#define LOCKSTEP_ENGINE_OPTIM_LION_H_

#include "engine/optim/optimizer.h"

namespace lockstep::optim {

struct LionOptions {
  double learning_rate = 0.0001;  // > 0
  double beta1 = 0.9;             // 0 <= beta1 < 1
  double beta2 = 0.99;            // 0 <= beta2 < 1
  double weight_decay = 0;        // >= 0
};

class Lion : public Optimizer {
 public:
  // Requires: options within their ranges.
  explicit Lion(const LionOptions& options);

  const std::vector<std::string>& state_names() const override { return state_names_; }
  void Update(const UpdateStep& step, absl::Span<const float> gradient_sum,
              absl::Span<const float> parameter, absl::Span<const absl::Span<float>> state,
              absl::Span<float> new_parameter) const override;
  std::string Describe() const override;

 private:
  const LionOptions options_;
  std::vector<std::string> state_names_;
};

}  // namespace lockstep::optim

#endif  // LOCKSTEP_ENGINE_OPTIM_LION_H_
