// The optimizers' update of one run of parameters: gradient sum in, new
// parameters and state out, in one pass over memory. All spans have one length;
// element i of each belongs together; no element sees another, so any cut into
// pieces gives the same bits. new_parameter may be parameter.
//
// Every rule begins with g, the gradient by GradientScale (gradient_scale.h),
// and then, if weight_decay != 0: g = fma(weight_decay, p, g).
// Threads: any thread; large runs are split over OpenMP's.
#ifndef LOCKSTEP_ENGINE_KERNELS_OPTIMIZER_UPDATE_H_
#define LOCKSTEP_ENGINE_KERNELS_OPTIMIZER_UPDATE_H_

#include "absl/types/span.h"
#include "engine/kernels/gradient_scale.h"

namespace lockstep::kernels {

template <class T>
struct SgdStepOf {
  GradientScaleOf<T> gradient;
  T learning_rate = 0;
  T momentum = 0;
  T weight_decay = 0;
  bool nesterov = false;
  bool first_step = false;  // the velocity is not read, but set to g
};
using SgdStep = SgdStepOf<float>;

// Order: if momentum != 0: v = first_step ? g : fma(momentum, v, g),
// g = nesterov ? fma(momentum, v, g) : v; p' = fma(-learning_rate, g, p).
// `velocity` is empty where momentum is 0.
void SgdUpdate(const SgdStep& step, absl::Span<const float> gradient_sum,
               absl::Span<const float> parameter, absl::Span<float> velocity,
               absl::Span<float> new_parameter);
// By plain loops, as all of float64.
void SgdUpdate(const SgdStepOf<double>& step, absl::Span<const double> gradient_sum,
               absl::Span<const double> parameter, absl::Span<double> velocity,
               absl::Span<double> new_parameter);

template <class T>
struct AdamStepOf {
  GradientScaleOf<T> gradient;
  T beta1 = static_cast<T>(0.9);
  T one_minus_beta1 = static_cast<T>(0.1);  // 1 - beta in float64, then rounded
  T beta2 = static_cast<T>(0.999);
  T one_minus_beta2 = static_cast<T>(0.001);
  T step_size = 0;              // learning_rate / (1 - beta1^t), float64, then rounded
  T bias_correction2_root = 1;  // sqrt(1 - beta2^t), float64, then rounded
  T epsilon = static_cast<T>(1e-8);
  T weight_decay = 0;
  T decay = 1;  // AdamW: 1 - learning_rate * weight_decay, float64, then rounded
};
using AdamStep = AdamStepOf<float>;

// Order: m = fma(beta1, m, one_minus_beta1 * g);
// v = fma(beta2, v, (one_minus_beta2 * g) * g);
// with greatest (AMSGrad): w = v > w ? v : w, else w = v;
// d = sqrt(w) / bias_correction2_root + epsilon; if decay != 1: p = p * decay;
// p' = fma(-step_size, m / d, p).
// `greatest_second_moment` is empty without AMSGrad.
void AdamUpdate(const AdamStep& step, absl::Span<const float> gradient_sum,
                absl::Span<const float> parameter, absl::Span<float> first_moment,
                absl::Span<float> second_moment, absl::Span<float> greatest_second_moment,
                absl::Span<float> new_parameter);
// By plain loops.
void AdamUpdate(const AdamStepOf<double>& step, absl::Span<const double> gradient_sum,
                absl::Span<const double> parameter, absl::Span<double> first_moment,
                absl::Span<double> second_moment, absl::Span<double> greatest_second_moment,
                absl::Span<double> new_parameter);

// sum[i] = sum[i] + other[i]: one addition of the shard tree.
void AddInPlace(absl::Span<float> sum, absl::Span<const float> other);
void AddInPlace(absl::Span<double> sum, absl::Span<const double> other);

struct RmspropStep {
  GradientScale gradient;
  float learning_rate = 0;
  float alpha = 0.99f;
  float one_minus_alpha = 0.01f;  // float64, then rounded
  float epsilon = 1e-8f;
  float momentum = 0;
  float weight_decay = 0;
};

// Order: v = fma(alpha, v, (one_minus_alpha * g) * g);
// with mean_gradient (centered): a = fma(one_minus_alpha, g - a, a),
//   c = fma(-a, a, v), c = c < 0 ? +0 : c; else c = v;
// u = g / (sqrt(c) + epsilon); if momentum != 0: b = fma(momentum, b, u), u = b;
// p' = fma(-learning_rate, u, p).
// `mean_gradient` is empty where not centered, `velocity` where momentum is 0.
void RmspropUpdate(const RmspropStep& step, absl::Span<const float> gradient_sum,
                   absl::Span<const float> parameter, absl::Span<float> second_moment,
                   absl::Span<float> mean_gradient, absl::Span<float> velocity,
                   absl::Span<float> new_parameter);

struct AdagradStep {
  GradientScale gradient;
  float learning_rate = 0;  // learning_rate / (1 + step * decay), float64, then rounded
  float epsilon = 1e-10f;
  float weight_decay = 0;
  bool first_step = false;  // the squares' sum is not read: it is initial_sum
  float initial_sum = 0;
};

// Order: s = fma(g, g, first_step ? initial_sum : s);
// p' = fma(-learning_rate, g / (sqrt(s) + epsilon), p).
void AdagradUpdate(const AdagradStep& step, absl::Span<const float> gradient_sum,
                   absl::Span<const float> parameter, absl::Span<float> sum_of_squares,
                   absl::Span<float> new_parameter);

struct AdadeltaStep {
  GradientScale gradient;
  float learning_rate = 0;
  float rho = 0.9f;
  float one_minus_rho = 0.1f;  // float64, then rounded
  float epsilon = 1e-6f;
  float weight_decay = 0;
};

// Order: v = fma(rho, v, (one_minus_rho * g) * g);
// u = (sqrt(a + epsilon) / sqrt(v + epsilon)) * g;
// a = fma(rho, a, (one_minus_rho * u) * u); p' = fma(-learning_rate, u, p).
void AdadeltaUpdate(const AdadeltaStep& step, absl::Span<const float> gradient_sum,
                    absl::Span<const float> parameter, absl::Span<float> second_moment,
                    absl::Span<float> mean_squared_step, absl::Span<float> new_parameter);

struct LionStep {
  GradientScale gradient;
  float learning_rate = 0;
  float beta1 = 0.9f;
  float one_minus_beta1 = 0.1f;  // float64, then rounded
  float beta2 = 0.99f;
  float one_minus_beta2 = 0.01f;
  float decay = 1;  // 1 - learning_rate * weight_decay, float64, then rounded
};

// Order: c = fma(beta1, m, one_minus_beta1 * g); u = c > 0 ? 1 : c < 0 ? -1 : c;
// if decay != 1: p = p * decay; p' = fma(-learning_rate, u, p);
// m = fma(beta2, m, one_minus_beta2 * g).
void LionUpdate(const LionStep& step, absl::Span<const float> gradient_sum,
                absl::Span<const float> parameter, absl::Span<float> momentum,
                absl::Span<float> new_parameter);

// Of what batch normalisation remembers (nn::ParameterKind::kRunningStatistic):
// s' = fma(momentum, observed_sum / batch_size, (1 - momentum) * s).
void RunningStatisticUpdate(float momentum, float batch_size, absl::Span<const float> observed_sum,
                            absl::Span<const float> statistic, absl::Span<float> new_statistic);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_OPTIMIZER_UPDATE_H_
