// Stochastic gradient descent, with momentum if wanted:
//   g = gradient_sum / batch_size + weight_decay * p
//   v = momentum * v + g        (v = g at step 0)
//   p = p - learning_rate * (nesterov ? g + momentum * v : v)
// Source: torch.optim.SGD without dampening; Nesterov's form after Sutskever
// et al., "On the importance of initialization and momentum" (2013).
#ifndef LOCKSTEP_ENGINE_OPTIM_SGD_H_
#define LOCKSTEP_ENGINE_OPTIM_SGD_H_

#include "engine/optim/optimizer.h"

namespace lockstep::optim {

struct SgdOptions {
  double learning_rate = 0.01;  // > 0
  double momentum = 0;          // 0 <= momentum < 1; 0: no state
  double weight_decay = 0;      // >= 0
  bool nesterov = false;        // needs momentum > 0
};

class Sgd : public Optimizer {
 public:
  // Requires: options within their ranges.
  explicit Sgd(const SgdOptions& options);

  const std::vector<std::string>& state_names() const override { return state_names_; }
  void Update(const UpdateStep& step, absl::Span<const float> gradient_sum,
              absl::Span<const float> parameter, absl::Span<const absl::Span<float>> state,
              absl::Span<float> new_parameter) const override;
  // The same on float64, for reference computations.
  void Update(const UpdateStep& step, absl::Span<const double> gradient_sum,
              absl::Span<const double> parameter, absl::Span<const absl::Span<double>> state,
              absl::Span<double> new_parameter) const;
  std::string Describe() const override;

 private:
  template <class T>
  void UpdateOf(const UpdateStep& step, absl::Span<const T> gradient_sum,
                absl::Span<const T> parameter, absl::Span<const absl::Span<T>> state,
                absl::Span<T> new_parameter) const;

  const SgdOptions options_;
  const std::vector<std::string> state_names_;
};

}  // namespace lockstep::optim

#endif  // LOCKSTEP_ENGINE_OPTIM_SGD_H_
