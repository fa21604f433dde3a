#include "engine/optim/adadelta.h"

#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/kernels/optimizer_update.h"

namespace lockstep::optim {

Adadelta::Adadelta(const AdadeltaOptions& options)
    : options_(options), state_names_({"second_moment", "mean_squared_step"}) {}

void Adadelta::Update(const UpdateStep& step, absl::Span<const float> gradient_sum,
                      absl::Span<const float> parameter, absl::Span<const absl::Span<float>> state,
                      absl::Span<float> new_parameter) const {
  LOCKSTEP_CHECK_EQ(static_cast<int>(state.size()), state_count());
  kernels::AdadeltaStep scalars;
  scalars.gradient = step.gradient();
  scalars.learning_rate = static_cast<float>(options_.learning_rate * step.learning_rate_factor);
  scalars.rho = static_cast<float>(options_.rho);
  scalars.one_minus_rho = static_cast<float>(1.0 - options_.rho);
  scalars.epsilon = static_cast<float>(options_.epsilon);
  scalars.weight_decay = static_cast<float>(options_.weight_decay);
  kernels::AdadeltaUpdate(scalars, gradient_sum, parameter, state[0], state[1], new_parameter);
}

std::string Adadelta::Describe() const {
  return absl::StrCat("Adadelta(learning_rate=", options_.learning_rate, ", rho=", options_.rho,
                      ", epsilon=", options_.epsilon, ", weight_decay=", options_.weight_decay,
                      ")");
}

}  // namespace lockstep::optim
