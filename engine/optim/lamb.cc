#include "engine/optim/lamb.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/kernels/aligned_buffer.h"
#include "engine/kernels/tensor_update.h"
#include "engine/kernels/transcendental.h"

namespace lockstep::optim {

Lamb::Lamb(const LambOptions& options)
    : options_(options), state_names_({"first_moment", "second_moment"}) {}

void Lamb::Update(const UpdateStep& step, absl::Span<const float> gradient_sum,
                  absl::Span<const float> parameter, absl::Span<const absl::Span<float>> state,
                  absl::Span<float> new_parameter) const {
  LOCKSTEP_CHECK_EQ(static_cast<int>(state.size()), state_count());
  kernels::LambStep scalars;
  scalars.gradient = step.gradient();
  scalars.beta1 = static_cast<float>(options_.beta1);
  scalars.one_minus_beta1 = static_cast<float>(1.0 - options_.beta1);
  scalars.beta2 = static_cast<float>(options_.beta2);
  scalars.one_minus_beta2 = static_cast<float>(1.0 - options_.beta2);
  scalars.bias_correction1 =
      static_cast<float>(1.0 - kernels::PowerOfWhole(options_.beta1, step.step + 1));
  scalars.bias_correction2_root =
      static_cast<float>(std::sqrt(1.0 - kernels::PowerOfWhole(options_.beta2, step.step + 1)));
  scalars.epsilon = static_cast<float>(options_.epsilon);
  scalars.weight_decay = static_cast<float>(options_.weight_decay);
  thread_local kernels::AlignedBuffer buffer;
  const absl::Span<float> direction(buffer.Reserve(parameter.size()), parameter.size());
  kernels::LambDirection(scalars, gradient_sum, parameter, state[0], state[1], direction);
  const double parameter_norm = std::sqrt(kernels::SumOfSquares({}, parameter));
  const double direction_norm = std::sqrt(kernels::SumOfSquares({}, direction));
  const bool both = parameter_norm > 0 && direction_norm > 0;
  const double trust = both ? parameter_norm / direction_norm : 1.0;
  const double rate = options_.learning_rate * step.learning_rate_factor * trust;
  kernels::WeightedSum(static_cast<float>(-rate), direction, 1.0f, parameter, new_parameter);
}

std::string Lamb::Describe() const {
  return absl::StrCat("Lamb(learning_rate=", options_.learning_rate, ", beta1=", options_.beta1,
                      ", beta2=", options_.beta2, ", epsilon=", options_.epsilon,
                      ", weight_decay=", options_.weight_decay, ")");
}

}  // namespace lockstep::optim
