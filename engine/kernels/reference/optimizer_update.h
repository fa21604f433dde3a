// The definition of optimizer_update.h, one element after another, which the
// fast kernels are equal to in every bit. T must be named where it is not float.
#ifndef LOCKSTEP_ENGINE_KERNELS_REFERENCE_OPTIMIZER_UPDATE_H_
#define LOCKSTEP_ENGINE_KERNELS_REFERENCE_OPTIMIZER_UPDATE_H_

#include <cmath>
#include <cstddef>

#include "absl/types/span.h"
#include "engine/kernels/optimizer_update.h"
#include "engine/kernels/reference/shard_tree.h"

namespace lockstep::kernels::reference {

template <class T>
T Gradient(T sum, T parameter, T batch_size, T weight_decay) {
  const T g = sum / batch_size;
  return weight_decay != 0 ? std::fma(weight_decay, parameter, g) : g;
}

template <class T = float>
void SgdUpdate(const SgdStep& step, absl::Span<const Same<T>> gradient_sum,
               absl::Span<const Same<T>> parameter, absl::Span<Same<T>> velocity,
               absl::Span<Same<T>> new_parameter) {
  const T momentum = step.momentum, learning_rate = step.learning_rate;
  for (std::size_t i = 0; i < parameter.size(); ++i) {
    T g = Gradient<T>(gradient_sum[i], parameter[i], step.batch_size, step.weight_decay);
    if (momentum != 0) {
      velocity[i] = step.first_step ? g : std::fma(momentum, velocity[i], g);
      g = step.nesterov ? std::fma(momentum, velocity[i], g) : velocity[i];
    }
    new_parameter[i] = std::fma(-learning_rate, g, parameter[i]);
  }
}

template <class T = float>
void AdamUpdate(const AdamStep& step, absl::Span<const Same<T>> gradient_sum,
                absl::Span<const Same<T>> parameter, absl::Span<Same<T>> first_moment,
                absl::Span<Same<T>> second_moment, absl::Span<Same<T>> new_parameter) {
  const T beta1 = step.beta1, beta2 = step.beta2, step_size = step.step_size;
  for (std::size_t i = 0; i < parameter.size(); ++i) {
    const T g = Gradient<T>(gradient_sum[i], parameter[i], step.batch_size, step.weight_decay);
    T& m = first_moment[i];
    T& v = second_moment[i];
    m = std::fma(beta1, m, step.one_minus_beta1 * g);
    v = std::fma(beta2, v, (step.one_minus_beta2 * g) * g);
    const T d = std::sqrt(v) / step.bias_correction2_root + step.epsilon;
    new_parameter[i] = std::fma(-step_size, m / d, parameter[i]);
  }
}

template <class T = float>
void AddInPlace(absl::Span<Same<T>> sum, absl::Span<const Same<T>> other) {
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = sum[i] + other[i];
}

}  // namespace lockstep::kernels::reference

#endif  // LOCKSTEP_ENGINE_KERNELS_REFERENCE_OPTIMIZER_UPDATE_H_
