#include "engine/nn/recurrent.h"

#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/nn/initializers.h"

namespace lockstep::nn {

using autograd::Variable;

RecurrentLayer::RecurrentLayer(kernels::RecurrentCell cell, int64_t input_size, int64_t hidden_size,
                               const RecurrentOptions& options)
    : cell_(cell), input_size_(input_size), hidden_size_(hidden_size), options_(options) {
  LOCKSTEP_CHECK(input_size >= 1 && hidden_size >= 1 && options.num_layers >= 1,
                 absl::StrCat("a recurrent layer of sizes ", input_size, " and ", hidden_size,
                              ", layers: ", options.num_layers));
  const int64_t width = kernels::RecurrentExtents{cell}.gates() * hidden_size;
  for (int64_t layer = 0; layer < options.num_layers; ++layer) {
    autograd::RecurrentWeights weights;
    weights.weight_ih = MakeParameter({width, layer == 0 ? input_size : hidden_size});
    weights.weight_hh = MakeParameter({width, hidden_size});
    if (options.bias) {
      weights.bias_ih = MakeParameter({width});
      weights.bias_hh = MakeParameter({width});
    }
    layers_.push_back(weights);
  }
}

Variable RecurrentLayer::Forward(const Variable& input) const {
  Variable x = input;
  for (size_t layer = 0; layer < layers_.size(); ++layer) {
    const bool last_only = options_.last_only && layer + 1 == layers_.size();
    x = autograd::Recurrent(cell_, x, layers_[layer], last_only);
  }
  return x;
}

absl::StatusOr<Shape> RecurrentLayer::OutputShape(const Shape& example_shape) const {
  if (example_shape.rank() != 2 || example_shape.dim(1) != input_size_ ||
      (options_.last_only && example_shape.dim(0) < 1)) {
    return absl::InvalidArgumentError(absl::StrCat(
        cell_ == kernels::RecurrentCell::kLstm ? "lstm" : "gru", ": got an example of shape ",
        example_shape.ToString(), ", want [times, ", input_size_, "]"));
  }
  if (options_.last_only) return Shape{hidden_size_};
  return Shape{example_shape.dim(0), hidden_size_};
}

std::vector<NamedParameter> RecurrentLayer::NamedParameters() const {
  std::vector<NamedParameter> parameters;
  for (size_t layer = 0; layer < layers_.size(); ++layer) {
    const autograd::RecurrentWeights& weights = layers_[layer];
    const std::string suffix = absl::StrCat("_l", layer);
    parameters.push_back({"weight_ih" + suffix, weights.weight_ih});
    parameters.push_back({"weight_hh" + suffix, weights.weight_hh});
    if (!options_.bias) continue;
    parameters.push_back({"bias_ih" + suffix, weights.bias_ih});
    parameters.push_back({"bias_hh" + suffix, weights.bias_hh});
  }
  return parameters;
}

void RecurrentLayer::Initialize(uint64_t key, uint64_t first_parameter) {
  const float bound = 1.0f / std::sqrt(static_cast<float>(hidden_size_));
  for (const NamedParameter& parameter : NamedParameters()) {
    InitializeUniform({key, first_parameter++}, bound, parameter.variable);
  }
}

std::string RecurrentLayer::Describe() const {
  std::string text = absl::StrCat(cell_ == kernels::RecurrentCell::kLstm ? "LSTM(" : "GRU(",
                                  input_size_, ", ", hidden_size_);
  if (options_.num_layers != 1) absl::StrAppend(&text, ", num_layers=", options_.num_layers);
  if (!options_.bias) absl::StrAppend(&text, ", bias=False");
  return text + ", batch_first=True)";
}

}  // namespace lockstep::nn
