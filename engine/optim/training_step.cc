#include "engine/optim/training_step.h"

#include <algorithm>
#include <utility>

#include "engine/nn/parameter_layout.h"

namespace lockstep::optim {

TrainingStep::TrainingStep(const nn::Module& module, UpdateRules rules)
    : variables_(module.NamedParameters()),
      updater_(nn::ParameterLayout::Of(module), std::move(rules)),
      parameters_(nn::CopyParameters(module, updater_.layout())),
      gradients_(Tensor::Zeros(parameters_.shape())) {
  nn::BindParameters(module, updater_.layout(), parameters_);
  nn::BindGradients(module, updater_.layout(), gradients_);
  updater_.StartAverage(parameters_);
}

void TrainingStep::Apply(double batch_size, double learning_rate_factor) {
  for (size_t i = 0; i < variables_.size(); ++i) {
    if (!variables_[i].variable.grad().defined()) {
      Tensor unreached = updater_.layout().View(gradients_, static_cast<int>(i));
      const absl::Span<float> values = unreached.span<float>();
      std::fill(values.begin(), values.end(), 0.0f);
    }
    variables_[i].variable.ZeroGrad();
  }
  UpdateStep update;
  update.step = step_++;
  update.batch_size = batch_size;
  update.learning_rate_factor = learning_rate_factor;
  const Tensor& gradients = gradients_;
  const absl::Span<float> parameters = parameters_.span<float>();
  updater_.Update(update, 0, gradients.span<float>(), parameters, parameters);
}

}  // namespace lockstep::optim
