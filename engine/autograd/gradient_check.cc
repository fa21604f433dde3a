#include "engine/autograd/gradient_check.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "absl/strings/str_cat.h"

namespace lockstep::autograd {
namespace {

using Function = std::function<Variable(const std::vector<Variable>& inputs)>;

std::vector<Tensor> Converted(const std::vector<Tensor>& tensors, DType dtype) {
  std::vector<Tensor> converted;
  for (const Tensor& tensor : tensors) {
    converted.push_back(tensor.dtype() == DType::kInt64 ? tensor : tensor.To(dtype));
  }
  return converted;
}

double WeightedSum(const Tensor& values, const Tensor& weights) {
  double sum = 0;
  for (int64_t i = 0; i < values.element_count(); ++i) {
    sum += values.data<double>()[i] * weights.data<double>()[i];
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
      value.data<double>()[element] += shift;
    }
    variables.emplace_back(value);
  }
  return WeightedSum(function(variables).value(), weights);
}

double NumericalGradient(const Function& function, const std::vector<Tensor>& inputs,
                         const Tensor& weights, size_t input, int64_t element) {
  const double x = inputs[input].data<double>()[element];
  const double h = std::max(1.0, std::abs(x)) / 1024;
  const auto f = [&](double shift) {
    return ValueAt(function, inputs, weights, input, element, shift);
  };
  return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h);
}

bool Agree(double got, double want, double tolerance) {
  return std::abs(got - want) <= tolerance * std::max(1.0, std::abs(want));
}

// What the function gave, and the gradients of its inputs (undefined for int64).
struct Computed {
  Tensor result;
  std::vector<Tensor> gradients;
};

Computed Compute(const Function& function, const std::vector<Tensor>& inputs) {
  std::vector<Variable> variables;
  for (const Tensor& input : inputs) {
    variables.emplace_back(input, /*requires_grad=*/input.dtype() != DType::kInt64);
  }
  const Variable result = function(variables);
  result.Backward(TestValues(result.shape(), 0.5f, 2, 99).To(result.dtype()));
  Computed computed{result.value(), {}};
  for (const Variable& variable : variables) computed.gradients.push_back(variable.grad());
  return computed;
}

// "" where `got`, of float32, agrees with `want`.
std::string DifferenceOfFloat32(const std::string& what, const Tensor& got, const Tensor& want,
                                double tolerance) {
  if (got.dtype() != DType::kFloat32 || got.shape() != want.shape()) {
    return absl::StrCat(what, " on float32: got ", DTypeName(got.dtype()), " ",
                        got.shape().ToString(), ", want float32 ", want.shape().ToString());
  }
  for (int64_t e = 0; e < got.element_count(); ++e) {
    if (!Agree(got.data<float>()[e], want.data<double>()[e], tolerance)) {
      return absl::StrCat(what, " element ", e, ": float32 gives ", got.data<float>()[e],
                          ", float64 ", want.data<double>()[e]);
    }
  }
  return "";
}

std::string DifferenceFromFloat32(const Function& function, const std::vector<Tensor>& inputs,
                                  const Computed& want, double tolerance) {
  const Computed got = Compute(function, Converted(inputs, DType::kFloat32));
  std::string difference = DifferenceOfFloat32("result", got.result, want.result, tolerance);
  for (size_t i = 0; difference.empty() && i < inputs.size(); ++i) {
    if (!want.gradients[i].defined()) continue;
    difference = DifferenceOfFloat32(absl::StrCat("input ", i, " gradient"), got.gradients[i],
                                     want.gradients[i], tolerance);
  }
  return difference;
}

}  // namespace

std::string CheckGradients(const Function& function, const std::vector<Tensor>& inputs,
                           double tolerance, double float32_tolerance) {
  const std::vector<Tensor> doubles = Converted(inputs, DType::kFloat64);
  const Computed computed = Compute(function, doubles);
  const Tensor weights = TestValues(computed.result.shape(), 0.5f, 2, 99).To(DType::kFloat64);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].dtype() == DType::kInt64) continue;
    const Tensor& gradient = computed.gradients[i];
    if (!gradient.defined()) return absl::StrCat("input ", i, " got no gradient");
    for (int64_t e = 0; e < inputs[i].element_count(); ++e) {
      const double got = gradient.data<double>()[e];
      const double want = NumericalGradient(function, doubles, weights, i, e);
      if (!Agree(got, want, tolerance)) {
        return absl::StrCat("input ", i, " element ", e, ": got gradient ", got, ", want ", want);
      }
    }
  }
  return DifferenceFromFloat32(function, inputs, computed, float32_tolerance);
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
