// The steps of optimizers and of clipping that look at a tensor as a whole:
// norms, and what is built of them. All spans have one length.
// Threads: any thread; large tensors are split over OpenMP's.
#ifndef LOCKSTEP_ENGINE_KERNELS_TENSOR_UPDATE_H_
#define LOCKSTEP_ENGINE_KERNELS_TENSOR_UPDATE_H_

#include <cstdint>

#include "absl/types/span.h"
#include "engine/kernels/gradient_scale.h"

namespace lockstep::kernels {

// Elements whose squares are added before blocks are.
inline constexpr int64_t kSquareBlockElements = 4096;
// Running sums within a block.
inline constexpr int kSquareLanes = 16;

// The sum of x[i]^2, in float64, with x[i] = sum[i] / batch_size, clipped to
// +-limit (gradient_scale.h; `factor` is not looked at).
// Order: each block of 4096 elements by itself: 16 lanes from +0, lane j takes
// the elements j, j + 16, ... ascending as lane = fma(x, x, lane); lane i +=
// lane i + 8 for i < 8, then 4, 2, 1. Blocks are added ascending from +0.
double SumOfSquares(const GradientScale& scale, absl::Span<const float> sum);

// out[i] = fma(a, x[i], b * y[i]). out may be x or y.
void WeightedSum(float a, absl::Span<const float> x, float b, absl::Span<const float> y,
                 absl::Span<float> out);

// x[i] = x[i] / divisor.
void DivideInPlace(float divisor, absl::Span<float> x);

struct LambStep {
  GradientScale gradient;
  float beta1 = 0.9f;
  float one_minus_beta1 = 0.1f;  // float64, then rounded
  float beta2 = 0.999f;
  float one_minus_beta2 = 0.001f;
  float bias_correction1 = 1;       // 1 - beta1^t, float64, then rounded
  float bias_correction2_root = 1;  // sqrt(1 - beta2^t), float64, then rounded
  float epsilon = 1e-6f;
  float weight_decay = 0;
};

// The direction of LAMB's step; its length comes of the norms.
// Order: m = fma(beta1, m, one_minus_beta1 * g);
// v = fma(beta2, v, (one_minus_beta2 * g) * g);
// u = (m / bias_correction1) / (sqrt(v) / bias_correction2_root + epsilon);
// if weight_decay != 0: u = fma(weight_decay, p, u).
void LambDirection(const LambStep& step, absl::Span<const float> gradient_sum,
                   absl::Span<const float> parameter, absl::Span<float> first_moment,
                   absl::Span<float> second_moment, absl::Span<float> direction);

struct MuonStep {
  GradientScale gradient;
  float momentum = 0.95f;
  float one_minus_momentum = 0.05f;  // float64, then rounded
  bool nesterov = true;
};

// What Muon orthogonalises.
// Order: b = fma(one_minus_momentum, g - b, b);
// u = nesterov ? fma(momentum, b - g, g) : b.
void MuonMomentum(const MuonStep& step, absl::Span<const float> gradient_sum,
                  absl::Span<float> momentum, absl::Span<float> update);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_TENSOR_UPDATE_H_
