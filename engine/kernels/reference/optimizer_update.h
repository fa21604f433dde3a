// The optimizers' updates and tensor updates as they are defined: one element
// after another. The kernels' results equal these in every bit.
#ifndef LOCKSTEP_ENGINE_KERNELS_REFERENCE_OPTIMIZER_UPDATE_H_
#define LOCKSTEP_ENGINE_KERNELS_REFERENCE_OPTIMIZER_UPDATE_H_

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "absl/types/span.h"
#include "engine/kernels/optimizer_update.h"
#include "engine/kernels/tensor_update.h"

namespace lockstep::kernels::reference {

template <class T, class S>
T Clipped(const GradientScaleOf<S>& scale, T sum) {
  T g = sum / scale.batch_size;
  if (scale.limit > 0) {
    g = g > scale.limit ? scale.limit : g;
    g = g < -scale.limit ? -scale.limit : g;
  }
  return g;
}

template <class T, class S>
T Gradient(const GradientScaleOf<S>& scale, T sum, T parameter, S weight_decay) {
  T g = Clipped(scale, sum);
  if (scale.factor != 1) g = g * scale.factor;
  return weight_decay != 0 ? std::fma(static_cast<T>(weight_decay), parameter, g) : g;
}

template <class T>
void SgdUpdate(const SgdStepOf<T>& step, absl::Span<const T> sum, absl::Span<const T> p,
               absl::Span<T> velocity, absl::Span<T> out) {
  for (size_t i = 0; i < p.size(); ++i) {
    T g = Gradient(step.gradient, sum[i], p[i], step.weight_decay);
    if (step.momentum != 0) {
      velocity[i] = step.first_step ? g : std::fma(static_cast<T>(step.momentum), velocity[i], g);
      g = step.nesterov ? std::fma(static_cast<T>(step.momentum), velocity[i], g) : velocity[i];
    }
    out[i] = std::fma(static_cast<T>(-step.learning_rate), g, p[i]);
  }
}

template <class T>
void AdamUpdate(const AdamStepOf<T>& step, absl::Span<const T> sum, absl::Span<const T> p,
                absl::Span<T> m, absl::Span<T> v, absl::Span<T> greatest, absl::Span<T> out) {
  for (size_t i = 0; i < p.size(); ++i) {
    const T g = Gradient(step.gradient, sum[i], p[i], step.weight_decay);
    m[i] = std::fma(static_cast<T>(step.beta1), m[i], step.one_minus_beta1 * g);
    v[i] = std::fma(static_cast<T>(step.beta2), v[i], (step.one_minus_beta2 * g) * g);
    T w = v[i];
    if (!greatest.empty()) w = greatest[i] = v[i] > greatest[i] ? v[i] : greatest[i];
    const T d = std::sqrt(w) / step.bias_correction2_root + step.epsilon;
    const T kept = step.decay != 1 ? p[i] * step.decay : p[i];
    out[i] = std::fma(static_cast<T>(-step.step_size), m[i] / d, kept);
  }
}

template <class T>
void RmspropUpdate(const RmspropStep& step, absl::Span<const T> sum, absl::Span<const T> p,
                   absl::Span<T> v, absl::Span<T> mean, absl::Span<T> velocity, absl::Span<T> out) {
  const T rest = step.one_minus_alpha;
  for (size_t i = 0; i < p.size(); ++i) {
    const T g = Gradient(step.gradient, sum[i], p[i], step.weight_decay);
    v[i] = std::fma(static_cast<T>(step.alpha), v[i], (rest * g) * g);
    T c = v[i];
    if (!mean.empty()) {
      mean[i] = std::fma(rest, g - mean[i], mean[i]);
      c = std::fma(-mean[i], mean[i], c);
      c = c < 0 ? T{0} : c;
    }
    T u = g / (std::sqrt(c) + step.epsilon);
    if (step.momentum != 0) {
      u = velocity[i] = std::fma(static_cast<T>(step.momentum), velocity[i], u);
    }
    out[i] = std::fma(static_cast<T>(-step.learning_rate), u, p[i]);
  }
}

template <class T>
void AdagradUpdate(const AdagradStep& step, absl::Span<const T> sum, absl::Span<const T> p,
                   absl::Span<T> squares, absl::Span<T> out) {
  for (size_t i = 0; i < p.size(); ++i) {
    const T g = Gradient(step.gradient, sum[i], p[i], step.weight_decay);
    squares[i] = std::fma(g, g, step.first_step ? static_cast<T>(step.initial_sum) : squares[i]);
    const T u = g / (std::sqrt(squares[i]) + step.epsilon);
    out[i] = std::fma(static_cast<T>(-step.learning_rate), u, p[i]);
  }
}

template <class T>
void AdadeltaUpdate(const AdadeltaStep& step, absl::Span<const T> sum, absl::Span<const T> p,
                    absl::Span<T> v, absl::Span<T> a, absl::Span<T> out) {
  const T rest = step.one_minus_rho;
  const T rho = step.rho;
  for (size_t i = 0; i < p.size(); ++i) {
    const T g = Gradient(step.gradient, sum[i], p[i], step.weight_decay);
    v[i] = std::fma(rho, v[i], (rest * g) * g);
    const T u = (std::sqrt(a[i] + step.epsilon) / std::sqrt(v[i] + step.epsilon)) * g;
    a[i] = std::fma(rho, a[i], (rest * u) * u);
    out[i] = std::fma(static_cast<T>(-step.learning_rate), u, p[i]);
  }
}

template <class T>
void LionUpdate(const LionStep& step, absl::Span<const T> sum, absl::Span<const T> p,
                absl::Span<T> m, absl::Span<T> out) {
  for (size_t i = 0; i < p.size(); ++i) {
    const T g = Gradient(step.gradient, sum[i], p[i], 0.0f);
    const T c = std::fma(static_cast<T>(step.beta1), m[i], step.one_minus_beta1 * g);
    const T u = c > 0 ? T{1} : c < 0 ? T{-1} : c;
    m[i] = std::fma(static_cast<T>(step.beta2), m[i], step.one_minus_beta2 * g);
    const T kept = step.decay != 1 ? p[i] * step.decay : p[i];
    out[i] = std::fma(static_cast<T>(-step.learning_rate), u, kept);
  }
}

template <class T>
void RunningStatisticUpdate(float momentum, float batch_size, absl::Span<const T> observed,
                            absl::Span<const T> statistic, absl::Span<T> out) {
  for (size_t i = 0; i < statistic.size(); ++i) {
    out[i] = std::fma(static_cast<T>(momentum), observed[i] / batch_size,
                      (1.0f - momentum) * statistic[i]);
  }
}

template <class T>
void AddInPlace(absl::Span<T> sum, absl::Span<const T> other) {
  for (size_t i = 0; i < sum.size(); ++i) sum[i] = sum[i] + other[i];
}

template <class T>
double SumOfSquares(const GradientScale& scale, absl::Span<const T> sum) {
  double total = 0;
  for (size_t first = 0; first < sum.size(); first += kSquareBlockElements) {
    const size_t end = std::min<size_t>(sum.size(), first + kSquareBlockElements);
    double lanes[kSquareLanes] = {};
    for (size_t i = first; i < end; ++i) {
      const double x = Clipped(scale, sum[i]);
      lanes[i % kSquareLanes] = std::fma(x, x, lanes[i % kSquareLanes]);
    }
    for (int width = kSquareLanes / 2; width > 0; width /= 2) {
      for (int j = 0; j < width; ++j) lanes[j] = lanes[j] + lanes[j + width];
    }
    total = total + lanes[0];
  }
  return total;
}

template <class T>
void WeightedSum(T a, absl::Span<const T> x, T b, absl::Span<const T> y, absl::Span<T> out) {
  for (size_t i = 0; i < x.size(); ++i) out[i] = std::fma(a, x[i], b * y[i]);
}

template <class T>
void DivideInPlace(T divisor, absl::Span<T> x) {
  for (T& value : x) value = value / divisor;
}

template <class T>
void LambDirection(const LambStep& step, absl::Span<const T> sum, absl::Span<const T> p,
                   absl::Span<T> m, absl::Span<T> v, absl::Span<T> direction) {
  for (size_t i = 0; i < p.size(); ++i) {
    const T g = Gradient(step.gradient, sum[i], p[i], 0.0f);
    m[i] = std::fma(static_cast<T>(step.beta1), m[i], step.one_minus_beta1 * g);
    v[i] = std::fma(static_cast<T>(step.beta2), v[i], (step.one_minus_beta2 * g) * g);
    const T d = std::sqrt(v[i]) / step.bias_correction2_root + step.epsilon;
    const T u = (m[i] / step.bias_correction1) / d;
    direction[i] =
        step.weight_decay != 0 ? std::fma(static_cast<T>(step.weight_decay), p[i], u) : u;
  }
}

template <class T>
void MuonMomentum(const MuonStep& step, absl::Span<const T> sum, absl::Span<T> momentum,
                  absl::Span<T> update) {
  for (size_t i = 0; i < sum.size(); ++i) {
    const T g = Gradient(step.gradient, sum[i], T{0}, 0.0f);
    T& b = momentum[i];
    b = std::fma(static_cast<T>(step.one_minus_momentum), g - b, b);
    update[i] = step.nesterov ? std::fma(static_cast<T>(step.momentum), b - g, g) : b;
  }
}

}  // namespace lockstep::kernels::reference

#endif  // LOCKSTEP_ENGINE_KERNELS_REFERENCE_OPTIMIZER_UPDATE_H_
