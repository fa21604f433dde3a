#include "engine/optim/sgd.h"

#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/kernels/optimizer_update.h"

namespace lockstep::optim {

Sgd::Sgd(const SgdOptions& options)
    : options_(options),
      state_names_(options.momentum != 0 ? std::vector<std::string>{"velocity"}
                                         : std::vector<std::string>{}) {}

template <class T>
void Sgd::UpdateOf(const UpdateStep& step, absl::Span<const T> gradient_sum,
                   absl::Span<const T> parameter, absl::Span<const absl::Span<T>> state,
                   absl::Span<T> new_parameter) const {
  LOCKSTEP_CHECK_EQ(static_cast<int>(state.size()), state_count());
  kernels::SgdStepOf<T> scalars;
  scalars.gradient = step.gradient<T>();
  scalars.learning_rate = static_cast<T>(options_.learning_rate * step.learning_rate_factor);
  scalars.momentum = static_cast<T>(options_.momentum);
  scalars.weight_decay = static_cast<T>(options_.weight_decay);
  scalars.nesterov = options_.nesterov;
  scalars.first_step = step.step == 0;
  kernels::SgdUpdate(scalars, gradient_sum, parameter, state.empty() ? absl::Span<T>() : state[0],
                     new_parameter);
}

void Sgd::Update(const UpdateStep& step, absl::Span<const float> gradient_sum,
                 absl::Span<const float> parameter, absl::Span<const absl::Span<float>> state,
                 absl::Span<float> new_parameter) const {
  UpdateOf<float>(step, gradient_sum, parameter, state, new_parameter);
}

void Sgd::Update(const UpdateStep& step, absl::Span<const double> gradient_sum,
                 absl::Span<const double> parameter, absl::Span<const absl::Span<double>> state,
                 absl::Span<double> new_parameter) const {
  UpdateOf<double>(step, gradient_sum, parameter, state, new_parameter);
}

std::string Sgd::Describe() const {
  return absl::StrCat("Sgd(learning_rate=", options_.learning_rate,
                      ", momentum=", options_.momentum, ", weight_decay=", options_.weight_decay,
                      ", nesterov=", options_.nesterov ? "True" : "False", ")");
}

}  // namespace lockstep::optim
