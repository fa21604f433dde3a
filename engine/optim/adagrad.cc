#include "engine/optim/adagrad.h"

#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/kernels/optimizer_update.h"

namespace lockstep::optim {

Adagrad::Adagrad(const AdagradOptions& options)
    : options_(options), state_names_({"sum_of_squares"}) {}

void Adagrad::Update(const UpdateStep& step, absl::Span<const float> gradient_sum,
                     absl::Span<const float> parameter, absl::Span<const absl::Span<float>> state,
                     absl::Span<float> new_parameter) const {
  LOCKSTEP_CHECK_EQ(static_cast<int>(state.size()), state_count());
  kernels::AdagradStep scalars;
  scalars.gradient = step.gradient();
  scalars.learning_rate =
      static_cast<float>(options_.learning_rate * step.learning_rate_factor /
                         (1.0 + static_cast<double>(step.step) * options_.learning_rate_decay));
  scalars.epsilon = static_cast<float>(options_.epsilon);
  scalars.weight_decay = static_cast<float>(options_.weight_decay);
  scalars.first_step = step.step == 0;
  scalars.initial_sum = static_cast<float>(options_.initial_accumulator_value);
  kernels::AdagradUpdate(scalars, gradient_sum, parameter, state[0], new_parameter);
}

std::string Adagrad::Describe() const {
  return absl::StrCat("Adagrad(learning_rate=", options_.learning_rate,
                      ", learning_rate_decay=", options_.learning_rate_decay,
                      ", initial_accumulator_value=", options_.initial_accumulator_value,
                      ", epsilon=", options_.epsilon, ", weight_decay=", options_.weight_decay,
                      ")");
}

}  // namespace lockstep::optim
