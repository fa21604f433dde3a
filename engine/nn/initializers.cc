#include "engine/nn/initializers.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "engine/check.h"
#include "engine/kernels/transcendental.h"
#include "engine/philox.h"

namespace lockstep::nn {
namespace {

absl::Span<float> Elements(autograd::Variable& parameter) {
  if (!parameter.value().allocated()) parameter.SetValue(Tensor::Empty(parameter.shape()));
  Tensor value = parameter.value();
  return value.span<float>();
}

// Box and Muller's cosine branch of two uniform words.
float StandardNormal(uint32_t radius_word, uint32_t angle_word) {
  const float u = static_cast<float>((radius_word >> 8) + 1) * (1.0f / 16777216.0f);
  const double turn = 2.0 * static_cast<double>(UniformFloat(angle_word));
  const float radius = std::sqrt(-2.0f * kernels::Log(u));
  return radius * static_cast<float>(kernels::CosPi(turn > 1.0 ? 2.0 - turn : turn));
}

float NormalAt(const InitialValueKey& key, uint64_t attempt, uint64_t element) {
  const auto word = [&](uint64_t index) {
    return RandomWord(key.key, RandomStream::kInitialValues, key.parameter, attempt, index);
  };
  return StandardNormal(word(2 * element), word(2 * element + 1));
}

float TruncatedNormalAt(const InitialValueKey& key, uint64_t element, float mean,
                        float standard_deviation, float least, float most) {
  float value = 0;
  for (int attempt = 0; attempt < kTruncatedNormalAttempts; ++attempt) {
    value = NormalAt(key, attempt, element) * standard_deviation + mean;
    if (value >= least && value <= most) return value;
  }
  return value < least ? least : most;
}

double DotProduct(int64_t size, const double* a, const double* b) {
  double lanes[4] = {};
  for (int64_t i = 0; i < size; ++i) lanes[i % 4] += a[i] * b[i];
  return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
}

// `vectors` [count, size], count <= size, in place: Gram and Schmidt's way, gone
// through twice, since once loses orthogonality where vectors are nearly parallel.
void Orthonormalize(int64_t count, int64_t size, double* vectors) {
  for (int64_t n = 0; n < count; ++n) {
    double* v = vectors + n * size;
    for (int pass = 0; pass < 2; ++pass) {
      for (int64_t m = 0; m < n; ++m) {
        const double* q = vectors + m * size;
        const double along = DotProduct(size, q, v);
        for (int64_t i = 0; i < size; ++i) v[i] -= along * q[i];
      }
    }
    const double length = std::sqrt(DotProduct(size, v, v));
    for (int64_t i = 0; i < size; ++i) v[i] /= length;
  }
}

double FanOf(const Shape& shape, FanMode mode) {
  const Fans fans = FansOf(shape);
  return static_cast<double>(mode == FanMode::kFanIn ? fans.in : fans.out);
}

}  // namespace

Fans FansOf(const Shape& weight_shape) {
  LOCKSTEP_CHECK(weight_shape.rank() >= 2,
                 absl::StrCat("fans: got a weight of shape ", weight_shape.ToString(),
                              ", want [out, in, ...]"));
  int64_t kernel = 1;
  for (int axis = 2; axis < weight_shape.rank(); ++axis) kernel *= weight_shape.dim(axis);
  return {weight_shape.dim(1) * kernel, weight_shape.dim(0) * kernel};
}

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

void InitializeNormal(const InitialValueKey& key, float mean, float standard_deviation,
                      autograd::Variable parameter) {
  const absl::Span<float> elements = Elements(parameter);
  for (size_t e = 0; e < elements.size(); ++e) {
    elements[e] = NormalAt(key, /*attempt=*/0, e) * standard_deviation + mean;
  }
}

void InitializeTruncatedNormal(const InitialValueKey& key, float mean, float standard_deviation,
                               float least, float most, autograd::Variable parameter) {
  LOCKSTEP_CHECK(least <= most,
                 absl::StrCat("truncated normal: got bounds ", least, " and ", most));
  const absl::Span<float> elements = Elements(parameter);
  for (size_t e = 0; e < elements.size(); ++e) {
    elements[e] = TruncatedNormalAt(key, e, mean, standard_deviation, least, most);
  }
}

void InitializeXavierUniform(const InitialValueKey& key, double gain,
                             autograd::Variable parameter) {
  const Fans fans = FansOf(parameter.shape());
  const double bound = gain * std::sqrt(6.0 / static_cast<double>(fans.in + fans.out));
  InitializeUniform(key, static_cast<float>(bound), std::move(parameter));
}

void InitializeXavierNormal(const InitialValueKey& key, double gain, autograd::Variable parameter) {
  const Fans fans = FansOf(parameter.shape());
  const double deviation = gain * std::sqrt(2.0 / static_cast<double>(fans.in + fans.out));
  InitializeNormal(key, 0, static_cast<float>(deviation), std::move(parameter));
}

void InitializeKaimingUniform(const InitialValueKey& key, double gain, FanMode mode,
                              autograd::Variable parameter) {
  const double bound = std::sqrt(3.0) * (gain / std::sqrt(FanOf(parameter.shape(), mode)));
  InitializeUniform(key, static_cast<float>(bound), std::move(parameter));
}

void InitializeKaimingNormal(const InitialValueKey& key, double gain, FanMode mode,
                             autograd::Variable parameter) {
  const double deviation = gain / std::sqrt(FanOf(parameter.shape(), mode));
  InitializeNormal(key, 0, static_cast<float>(deviation), std::move(parameter));
}

void InitializeOrthogonal(const InitialValueKey& key, double gain, autograd::Variable parameter) {
  LOCKSTEP_CHECK(parameter.rank() >= 2,
                 absl::StrCat("orthogonal: got a parameter of shape ", parameter.shape().ToString(),
                              ", want at least two axes"));
  InitializeNormal(key, 0, 1, parameter);
  const absl::Span<float> elements = Elements(parameter);
  if (elements.empty()) return;
  const int64_t rows = parameter.dim(0);
  const int64_t columns = static_cast<int64_t>(elements.size()) / rows;
  const bool by_rows = rows <= columns;
  const int64_t count = by_rows ? rows : columns, size = by_rows ? columns : rows;
  const auto place = [&](int64_t vector, int64_t i) {
    return by_rows ? vector * columns + i : i * columns + vector;
  };
  std::vector<double> vectors(elements.size());
  for (int64_t n = 0; n < count; ++n) {
    for (int64_t i = 0; i < size; ++i) vectors[n * size + i] = elements[place(n, i)];
  }
  Orthonormalize(count, size, vectors.data());
  for (int64_t n = 0; n < count; ++n) {
    for (int64_t i = 0; i < size; ++i) {
      elements[place(n, i)] = static_cast<float>(gain * vectors[n * size + i]);
    }
  }
}

}  // namespace lockstep::nn
