// One fused pass over memory per optimizer step: gradient sum in, new
// parameters and state out. All spans have one length; element i of each
// belongs together; no element sees another, so any cut into pieces gives the
// same bits.
#ifndef LOCKSTEP_ENGINE_KERNELS_OPTIMIZER_UPDATE_H_
#define LOCKSTEP_ENGINE_KERNELS_OPTIMIZER_UPDATE_H_

#include "absl/types/span.h"

namespace lockstep::kernels {

struct SgdStep {
  float batch_size = 1;  // the gradient sum is divided by it
  float learning_rate = 0;
  float momentum = 0;
  float weight_decay = 0;
  bool nesterov = false;
  bool first_step = false;  // the velocity is not read, but set to g
};

// Order: g = sum / batch_size; if weight_decay != 0: g = fma(weight_decay, p, g);
// if momentum != 0: v = first_step ? g : fma(momentum, v, g),
// g = nesterov ? fma(momentum, v, g) : v; p' = fma(-learning_rate, g, p).
// `velocity` is empty where momentum is 0. new_parameter may be parameter.
void SgdUpdate(const SgdStep& step, absl::Span<const float> gradient_sum,
               absl::Span<const float> parameter, absl::Span<float> velocity,
               absl::Span<float> new_parameter);

struct AdamStep {
  float batch_size = 1;
  float beta1 = 0.9f;
  float one_minus_beta1 = 0.1f;  // 1 - beta in float64, then rounded
  float beta2 = 0.999f;
  float one_minus_beta2 = 0.001f;
  float step_size = 0;              // learning_rate / (1 - beta1^t), float64, then rounded
  float bias_correction2_root = 1;  // sqrt(1 - beta2^t), float64, then rounded
  float epsilon = 1e-8f;
  float weight_decay = 0;
};

// Order: g = sum / batch_size; if weight_decay != 0: g = fma(weight_decay, p, g);
// m = fma(beta1, m, one_minus_beta1 * g); v = fma(beta2, v, (one_minus_beta2 * g) * g);
// d = sqrt(v) / bias_correction2_root + epsilon; p' = fma(-step_size, m / d, p).
void AdamUpdate(const AdamStep& step, absl::Span<const float> gradient_sum,
                absl::Span<const float> parameter, absl::Span<float> first_moment,
                absl::Span<float> second_moment, absl::Span<float> new_parameter);

// sum[i] = sum[i] + other[i]: one addition of the shard tree.
void AddInPlace(absl::Span<float> sum, absl::Span<const float> other);
void AddInPlace(absl::Span<double> sum, absl::Span<const double> other);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_OPTIMIZER_UPDATE_H_
