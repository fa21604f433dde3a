#include "engine/nn/initializers.h"

#include <algorithm>

#include "absl/types/span.h"
#include "engine/philox.h"

namespace lockstep::nn {
namespace {

absl::Span<float> Elements(autograd::Variable& parameter) {
  if (!parameter.value().allocated()) parameter.SetValue(Tensor::Empty(parameter.shape()));
  Tensor value = parameter.value();
  return value.span<float>();
}

}  // namespace

void InitializeConstant(float value, autograd::Variable parameter) {
  const absl::Span<float> elements = Elements(parameter);
  std::fill(elements.begin(), elements.end(), value);
}

void InitializeUniform(const InitialValueKey& key, float bound, autograd::Variable parameter) {
  const absl::Span<float> elements = Elements(parameter);
  FillUniform(key.key, RandomStream::kInitialValues, /*step=*/key.parameter, /*example=*/0,
              /*first_element=*/0, elements);
  for (float& value : elements) value = (2.0f * value - 1.0f) * bound;
}

}  // namespace lockstep::nn
