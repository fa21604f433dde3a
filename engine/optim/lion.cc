#include "engine/optim/lion.h"

#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/kernels/optimizer_update.h"

namespace lockstep::optim {

Lion::Lion(const LionOptions& options) : options_(options), state_names_({"momentum"}) {}

void Lion::Update(const UpdateStep& step, absl::Span<const float> gradient_sum,
                  absl::Span<const float> parameter, absl::Span<const absl::Span<float>> state,
                  absl::Span<float> new_parameter) const {
  LOCKSTEP_CHECK_EQ(static_cast<int>(state.size()), state_count());
  const double learning_rate = options_.learning_rate * step.learning_rate_factor;
  kernels::LionStep scalars;
  scalars.gradient = step.gradient();
  scalars.learning_rate = static_cast<float>(learning_rate);
  scalars.beta1 = static_cast<float>(options_.beta1);
  scalars.one_minus_beta1 = static_cast<float>(1.0 - options_.beta1);
  scalars.beta2 = static_cast<float>(options_.beta2);
  scalars.one_minus_beta2 = static_cast<float>(1.0 - options_.beta2);
  scalars.decay = static_cast<float>(1.0 - learning_rate * options_.weight_decay);
  kernels::LionUpdate(scalars, gradient_sum, parameter, state[0], new_parameter);
}

std::string Lion::Describe() const {
  return absl::StrCat("Lion(learning_rate=", options_.learning_rate, ", beta1=", options_.beta1,
                      ", beta2=", options_.beta2, ", weight_decay=", options_.weight_decay, ")");
}

}  // namespace lockstep::optim
