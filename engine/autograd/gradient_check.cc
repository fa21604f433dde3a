#include "engine/autograd/gradient_check.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "absl/strings/str_cat.h"

namespace lockstep::autograd {
namespace {

using Function = std::function<Variable(const std::vector<Variable>& inputs)>;

double WeightedSum(const Tensor& values, const Tensor& weights) {
  double sum = 0;
  for (int64_t i = 0; i < values.element_count(); ++i) {
    sum += static_cast<double>(values.data<float>()[i]) * weights.data<float>()[i];
  }
  return sum;
}

// f with element `element` of input `input` moved by `shift`.
double ValueAt(const Function& function, const std::vector<Tensor>& inputs, const Tensor& weights,
               size_t input, int64_t element, double shift) {
  std::vector<Variable> variables;
  for (size_t i = 0; i < inputs.size(); ++i) {
    Tensor value = inputs[i];
    if (i == input) {
      value = value.Clone();
      value.data<float>()[element] += static_cast<float>(shift);
    }
    variables.emplace_back(value);
  }
  return WeightedSum(function(variables).value(), weights);
}

double NumericalGradient(const Function& function, const std::vector<Tensor>& inputs,
                         const Tensor& weights, size_t input, int64_t element) {
  const double x = inputs[input].data<float>()[element];
  const double h = std::max(1.0, std::abs(x)) / 32;
  const auto f = [&](double shift) {
    return ValueAt(function, inputs, weights, input, element, shift);
  };
  return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h);
}

}  // namespace

std::string CheckGradients(const Function& function, const std::vector<Tensor>& inputs,
                           double tolerance) {
  std::vector<Variable> variables;
  for (const Tensor& input : inputs) variables.emplace_back(input, /*requires_grad=*/true);
  const Variable result = function(variables);
  const Tensor weights = TestValues(result.shape(), 0.5f, 2, 99);
  result.Backward(weights);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!variables[i].grad().defined()) return absl::StrCat("input ", i, " got no gradient");
    for (int64_t e = 0; e < inputs[i].element_count(); ++e) {
      const double got = variables[i].grad().data<float>()[e];
      const double want = NumericalGradient(function, inputs, weights, i, e);
      if (!(std::abs(got - want) <= tolerance * std::max(1.0, std::abs(want)))) {
        return absl::StrCat("input ", i, " element ", e, ": got gradient ", got, ", want ", want);
      }
    }
  }
  return "";
}

Tensor TestValues(const Shape& shape, float least, float most, int salt) {
  Tensor values = Tensor::Empty(shape);
  uint32_t state = 12345u + 977u * static_cast<uint32_t>(salt);
  for (float& value : values.span<float>()) {
    state = state * 1664525u + 1013904223u;  // Numerical Recipes' generator
    value = least + (most - least) * (static_cast<float>(state >> 8) / 16777216.0f);
  }
  return values;
}

}  // namespace lockstep::autograd
