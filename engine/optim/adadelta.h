// Adadelta:
//   g = gradient_sum / batch_size + weight_decay * p
//   v = rho * v + (1 - rho) * g^2
//   u = sqrt(a + epsilon) / sqrt(v + epsilon) * g
//   a = rho * a + (1 - rho) * u^2
//   p = p - learning_rate * u
// Source: Zeiler, "ADADELTA: An Adaptive Learning Rate Method" (2012),
// algorithm 1; the learning rate is torch.optim.Adadelta's.
#ifndef LOCKSTEP_ENGINE_OPTIM_ADADELTA_H_
#define LOCKSTEP_ENGINE_OPTIM_ADADELTA_H_

#include "engine/optim/optimizer.h"

namespace lockstep::optim {

struct AdadeltaOptions {
  double learning_rate = 1;  // > 0
  double rho = 0.9;          // 0 <= rho < 1
  double epsilon = 1e-6;     // > 0
  double weight_decay = 0;   // >= 0
};

class Adadelta : public Optimizer {
 public:
  // Requires: options within their ranges.
  explicit Adadelta(const AdadeltaOptions& options);

  const std::vector<std::string>& state_names() const override { return state_names_; }
  void Update(const UpdateStep& step, absl::Span<const float> gradient_sum,
              absl::Span<const float> parameter, absl::Span<const absl::Span<float>> state,
              absl::Span<float> new_parameter) const override;
  std::string Describe() const override;

 private:
  const AdadeltaOptions options_;
  std::vector<std::string> state_names_;
};

}  // namespace lockstep::optim

#endif  // LOCKSTEP_ENGINE_OPTIM_ADADELTA_H_
