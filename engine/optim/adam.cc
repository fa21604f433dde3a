#include "engine/optim/adam.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/kernels/optimizer_update.h"
#include "engine/kernels/transcendental.h"

namespace lockstep::optim {

Adam::Adam(const AdamOptions& options)
    : options_(options), state_names_({"first_moment", "second_moment"}) {
  if (options.amsgrad) state_names_.push_back("greatest_second_moment");
}

template <class T>
void Adam::UpdateOf(const UpdateStep& step, absl::Span<const T> gradient_sum,
                    absl::Span<const T> parameter, absl::Span<const absl::Span<T>> state,
                    absl::Span<T> new_parameter) const {
  LOCKSTEP_CHECK_EQ(static_cast<int>(state.size()), state_count());
  const double correction1 = 1.0 - kernels::PowerOfWhole(options_.beta1, step.step + 1);
  const double correction2 = 1.0 - kernels::PowerOfWhole(options_.beta2, step.step + 1);
  const double learning_rate = options_.learning_rate * step.learning_rate_factor;
  kernels::AdamStepOf<T> scalars;
  scalars.gradient = step.gradient<T>();
  scalars.beta1 = static_cast<T>(options_.beta1);
  scalars.one_minus_beta1 = static_cast<T>(1.0 - options_.beta1);
  scalars.beta2 = static_cast<T>(options_.beta2);
  scalars.one_minus_beta2 = static_cast<T>(1.0 - options_.beta2);
  scalars.step_size = static_cast<T>(learning_rate / correction1);
  scalars.bias_correction2_root = static_cast<T>(std::sqrt(correction2));
  scalars.epsilon = static_cast<T>(options_.epsilon);
  if (options_.decoupled) {
    scalars.decay = static_cast<T>(1.0 - learning_rate * options_.weight_decay);
  } else {
    scalars.weight_decay = static_cast<T>(options_.weight_decay);
  }
  kernels::AdamUpdate(scalars, gradient_sum, parameter, state[0], state[1],
                      options_.amsgrad ? state[2] : absl::Span<T>(), new_parameter);
}

void Adam::Update(const UpdateStep& step, absl::Span<const float> gradient_sum,
                  absl::Span<const float> parameter, absl::Span<const absl::Span<float>> state,
                  absl::Span<float> new_parameter) const {
  UpdateOf<float>(step, gradient_sum, parameter, state, new_parameter);
}

void Adam::Update(const UpdateStep& step, absl::Span<const double> gradient_sum,
                  absl::Span<const double> parameter, absl::Span<const absl::Span<double>> state,
                  absl::Span<double> new_parameter) const {
  UpdateOf<double>(step, gradient_sum, parameter, state, new_parameter);
}

std::string Adam::Describe() const {
  return absl::StrCat(
      options_.decoupled ? "AdamW" : "Adam", "(learning_rate=", options_.learning_rate,
      ", beta1=", options_.beta1, ", beta2=", options_.beta2, ", epsilon=", options_.epsilon,
      ", weight_decay=", options_.weight_decay, options_.amsgrad ? ", amsgrad=True)" : ")");
}

}  // namespace lockstep::optim
