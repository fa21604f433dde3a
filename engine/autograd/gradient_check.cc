#include "engine/autograd/gradient_check.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "absl/strings/str_cat.h"

namespace lockstep::autograd {
namespace {

using Function = std::function<Variable()>;

double WeightedSum(const Tensor& values, const Tensor& weights) {
  double sum = 0;
  for (int64_t i = 0; i < values.element_count(); ++i) {
    sum += values.data<double>()[i] * weights.data<double>()[i];
  }
  return sum;
}

// f with element `element` of the leaf moved by `shift`.
double ValueAt(const Function& function, const Tensor& weights, Variable leaf, int64_t element,
               double shift) {
  const Tensor value = leaf.value();
  Tensor moved = value.Clone();
  moved.data<double>()[element] += shift;
  leaf.SetValue(moved);
  const double sum = WeightedSum(function().value(), weights);
  leaf.SetValue(value);
  return sum;
}

double NumericalGradient(const Function& function, const Tensor& weights, const Variable& leaf,
                         int64_t element) {
  const double x = leaf.value().data<double>()[element];
  const double h = std::max(1.0, std::abs(x)) / 1024;
  const auto f = [&](double shift) { return ValueAt(function, weights, leaf, element, shift); };
  return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h);
}

bool Agree(double got, double want, double tolerance) {
  return std::abs(got - want) <= tolerance * std::max(1.0, std::abs(want));
}

// What the function gave, and the gradients of its leaves.
struct Computed {
  Tensor result;
  std::vector<Tensor> gradients;
};

Computed Compute(const Function& function, std::vector<Variable> leaves, DType dtype) {
  for (Variable& leaf : leaves) {
    leaf.ConvertTo(dtype);
    leaf.ZeroGrad();
  }
  const Variable result = function();
  result.Backward(TestValues(result.shape(), 0.5f, 2, 99).To(result.dtype()));
  Computed computed{result.value(), {}};
  for (const Variable& leaf : leaves) computed.gradients.push_back(leaf.grad());
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

std::string DifferenceFromFloat32(const Function& function, const std::vector<Variable>& leaves,
                                  const Computed& want, double tolerance) {
  const Computed got = Compute(function, leaves, DType::kFloat32);
  std::string difference = DifferenceOfFloat32("result", got.result, want.result, tolerance);
  for (size_t i = 0; difference.empty() && i < leaves.size(); ++i) {
    difference = DifferenceOfFloat32(absl::StrCat("input ", i, " gradient"), got.gradients[i],
                                     want.gradients[i], tolerance);
  }
  return difference;
}

}  // namespace

std::string CheckLeafGradients(const Function& function, const std::vector<Variable>& leaves,
                               double tolerance, double float32_tolerance) {
  const Computed computed = Compute(function, leaves, DType::kFloat64);
  const Tensor weights = TestValues(computed.result.shape(), 0.5f, 2, 99).To(DType::kFloat64);
  for (size_t i = 0; i < leaves.size(); ++i) {
    const Tensor& gradient = computed.gradients[i];
    if (!gradient.defined()) return absl::StrCat("input ", i, " got no gradient");
    for (int64_t e = 0; e < gradient.element_count(); ++e) {
      const double got = gradient.data<double>()[e];
      const double want = NumericalGradient(function, weights, leaves[i], e);
      if (!Agree(got, want, tolerance)) {
        return absl::StrCat("input ", i, " element ", e, ": got gradient ", got, ", want ", want);
      }
    }
  }
  return DifferenceFromFloat32(function, leaves, computed, float32_tolerance);
}

std::string CheckGradients(
    const std::function<Variable(const std::vector<Variable>& inputs)>& function,
    const std::vector<Tensor>& inputs, double tolerance, double float32_tolerance) {
  std::vector<Variable> variables, leaves;
  for (const Tensor& input : inputs) {
    const bool floating = input.dtype() != DType::kInt64;
    variables.emplace_back(input, /*requires_grad=*/floating);
    if (floating) leaves.push_back(variables.back());
  }
  return CheckLeafGradients([&] { return function(variables); }, leaves, tolerance,
                            float32_tolerance);
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

Tensor DistinctValues(const Shape& shape) {
  Tensor values = Tensor::Empty(shape);
  const int64_t count = values.element_count();
  for (int64_t i = 0; i < count; ++i) {
    values.data<float>()[i] = 0.05f * static_cast<float>(i * 97 % count - count / 2);
  }
  return values;
}

}  // namespace lockstep::autograd
