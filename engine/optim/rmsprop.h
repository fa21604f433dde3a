// RMSProp:
//   g = gradient_sum / batch_size + weight_decay * p
//   v = alpha * v + (1 - alpha) * g^2
//   centered: a = a + (1 - alpha) * (g - a), c = max(v - a^2, 0); else c = v
//   u = g / (sqrt(c) + epsilon);  momentum: b = momentum * b + u, u = b
//   p = p - learning_rate * u
// Source: Tieleman and Hinton, lecture 6.5 of "Neural Networks for Machine
// Learning" (2012); centered after Graves (2013, arXiv:1308.0850); the form is
// torch.optim.RMSprop's, except that there rounding may make c negative.
#ifndef LOCKSTEP_ENGINE_OPTIM_RMSPROP_H_
#define LOCKSTEP_ENGINE_OPTIM_RMSPROP_H_

#include "engine/optim/optimizer.h"

namespace lockstep::optim {

struct RmspropOptions {
  double learning_rate = 0.01;  // > 0
  double alpha = 0.99;          // 0 <= alpha < 1
  double epsilon = 1e-8;        // > 0
  double momentum = 0;          // 0 <= momentum < 1
  double weight_decay = 0;      // >= 0
  bool centered = false;
};

class Rmsprop : public Optimizer {
 public:
  // Requires: options within their ranges.
  explicit Rmsprop(const RmspropOptions& options);

  const std::vector<std::string>& state_names() const override { return state_names_; }
  void Update(const UpdateStep& step, absl::Span<const float> gradient_sum,
              absl::Span<const float> parameter, absl::Span<const absl::Span<float>> state,
              absl::Span<float> new_parameter) const override;
  std::string Describe() const override;

 private:
  const RmspropOptions options_;
  std::vector<std::string> state_names_;
};

}  // namespace lockstep::optim

#endif  // LOCKSTEP_ENGINE_OPTIM_RMSPROP_H_
