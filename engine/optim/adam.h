// Adam, AdamW and their AMSGrad variants:
//   g = gradient_sum / batch_size     Adam: + weight_decay * p
//   AdamW:   p = p * (1 - learning_rate * weight_decay)
//   m = beta1 * m + (1 - beta1) * g
//   v = beta2 * v + (1 - beta2) * g^2
//   AMSGrad: w = max(w, v), else w = v
//   p = p - learning_rate * (m / (1 - beta1^t)) / (sqrt(w / (1 - beta2^t)) + epsilon)
// with t = 1 at the first step.
// Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2015),
// algorithm 1; Loshchilov and Hutter, "Decoupled Weight Decay Regularization"
// (2019), algorithm 2; Reddi and others, "On the Convergence of Adam and
// Beyond" (2018), algorithm 2, as in torch.optim: the greatest v is divided by
// the bias correction.
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
  bool decoupled = false;        // AdamW
  bool amsgrad = false;
};

class Adam : public Optimizer {
 public:
  // Requires: options within their ranges.
  explicit Adam(const AdamOptions& options);

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

  const AdamOptions options_;
  std::vector<std::string> state_names_;
};

}  // namespace lockstep::optim

#endif  // LOCKSTEP_ENGINE_OPTIM_ADAM_H_
