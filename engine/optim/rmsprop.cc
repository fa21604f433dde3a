#include "engine/optim/rmsprop.h"

#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/kernels/optimizer_update.h"

namespace lockstep::optim {

Rmsprop::Rmsprop(const RmspropOptions& options)
    : options_(options), state_names_({"second_moment"}) {
  if (options.centered) state_names_.push_back("mean_gradient");
  if (options.momentum != 0) state_names_.push_back("velocity");
}

void Rmsprop::Update(const UpdateStep& step, absl::Span<const float> gradient_sum,
                     absl::Span<const float> parameter, absl::Span<const absl::Span<float>> state,
                     absl::Span<float> new_parameter) const {
  LOCKSTEP_CHECK_EQ(static_cast<int>(state.size()), state_count());
  kernels::RmspropStep scalars;
  scalars.gradient = step.gradient();
  scalars.learning_rate = static_cast<float>(options_.learning_rate * step.learning_rate_factor);
  scalars.alpha = static_cast<float>(options_.alpha);
  scalars.one_minus_alpha = static_cast<float>(1.0 - options_.alpha);
  scalars.epsilon = static_cast<float>(options_.epsilon);
  scalars.momentum = static_cast<float>(options_.momentum);
  scalars.weight_decay = static_cast<float>(options_.weight_decay);
  kernels::RmspropUpdate(scalars, gradient_sum, parameter, state[0],
                         options_.centered ? state[1] : absl::Span<float>(),
                         options_.momentum != 0 ? state.back() : absl::Span<float>(),
                         new_parameter);
}

std::string Rmsprop::Describe() const {
  return absl::StrCat("Rmsprop(learning_rate=", options_.learning_rate, ", alpha=", options_.alpha,
                      ", epsilon=", options_.epsilon, ", momentum=", options_.momentum,
                      ", weight_decay=", options_.weight_decay,
                      ", centered=", options_.centered ? "True)" : "False)");
}

}  // namespace lockstep::optim
