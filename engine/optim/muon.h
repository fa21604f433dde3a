// Muon, for one weight matrix:
//   g = gradient_sum / batch_size
//   b = momentum * b + (1 - momentum) * g
//   u = nesterov ? (1 - momentum) * g + momentum * b : b
//   p = p * (1 - learning_rate * weight_decay)
//   p = p - learning_rate * adjustment * Orthogonalized(u)   (newton_schulz.h)
// adjustment: kOriginal sqrt(max(1, rows / columns)), kMatchRmsAdamw
// 0.2 * sqrt(max(rows, columns)).
// Source: Jordan and others, "Muon: An optimizer for hidden layers in neural
// networks" (2024); the second adjustment: Liu and others, "Muon is Scalable
// for LLM Training" (2025). Formula and defaults are torch.optim.Muon's of 2.13,
// but in float32 throughout, where PyTorch orthogonalises in bfloat16.
#ifndef LOCKSTEP_ENGINE_OPTIM_MUON_H_
#define LOCKSTEP_ENGINE_OPTIM_MUON_H_

#include "engine/optim/optimizer.h"

namespace lockstep::optim {

// How the learning rate is made to suit the matrix's shape.
enum class MuonAdjustment { kOriginal, kMatchRmsAdamw };

struct MuonOptions {
  double learning_rate = 0.001;  // > 0
  double momentum = 0.95;        // 0 <= momentum < 1
  double weight_decay = 0.1;     // >= 0
  double epsilon = 1e-7;         // > 0: the least norm that is divided by
  int newton_schulz_steps = 5;   // 1 to 99
  bool nesterov = true;
  MuonAdjustment adjustment = MuonAdjustment::kOriginal;
};

class Muon : public Optimizer {
 public:
  // Of a parameter [rows, columns]. Requires: options within their ranges.
  Muon(const MuonOptions& options, int64_t rows, int64_t columns);

  Granularity granularity() const override { return Granularity::kTensor; }
  const std::vector<std::string>& state_names() const override { return state_names_; }
  void Update(const UpdateStep& step, absl::Span<const float> gradient_sum,
              absl::Span<const float> parameter, absl::Span<const absl::Span<float>> state,
              absl::Span<float> new_parameter) const override;
  std::string Describe() const override;

 private:
  const MuonOptions options_;
  const int64_t rows_;
  const int64_t columns_;
  std::vector<std::string> state_names_;
};

}  // namespace lockstep::optim

#endif  // LOCKSTEP_ENGINE_OPTIM_MUON_H_
