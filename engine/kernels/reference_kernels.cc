#include "engine/kernels/reference_kernels.h"

#include <cmath>
#include <limits>
#include <vector>

#include "engine/kernels/transcendental.h"
#include "engine/shard_tree.h"

namespace lockstep::kernels::reference {
namespace {

// node(lo, hi) = node(lo, mid) + node(mid, hi), element by element; leaf(shard)
// gives a shard's own sums.
template <class Leaf>
std::vector<float> TreeSum(const ShardNode& node, const Leaf& leaf) {
  if (node.size() == 1) return leaf(node.first);
  const int middle = ShardTreeMiddle(node);
  std::vector<float> left = TreeSum({node.first, middle}, leaf);
  const std::vector<float> right = TreeSum({middle, node.end}, leaf);
  for (size_t i = 0; i < left.size(); ++i) left[i] = left[i] + right[i];
  return left;
}

float Apply(UnaryOp op, float x) {
  switch (op) {
    case UnaryOp::kNegate:
      return -x;
    case UnaryOp::kAbsolute:
      return std::fabs(x);
    case UnaryOp::kSquare:
      return x * x;
    case UnaryOp::kSquareRoot:
      return std::sqrt(x);
    case UnaryOp::kExp:
      return Exp(x);
    case UnaryOp::kLog:
      return Log(x);
    case UnaryOp::kTanh:
      return Tanh(x);
    case UnaryOp::kSigmoid:
      return Sigmoid(x);
    case UnaryOp::kRelu:
      return x <= 0.0f ? 0.0f : x;
  }
  return x;
}

float Apply(BinaryOp op, float a, float b) {
  switch (op) {
    case BinaryOp::kAdd:
      return a + b;
    case BinaryOp::kSubtract:
      return a - b;
    case BinaryOp::kMultiply:
      return a * b;
    case BinaryOp::kDivide:
      return a / b;
    case BinaryOp::kMaximum:
      return a > b || a != a ? a : b;
  }
  return a;
}

float Apply(ActivationGradient op, float dy, float y) {
  switch (op) {
    case ActivationGradient::kRelu:
      return y <= 0.0f ? 0.0f : dy;
    case ActivationGradient::kTanh:
      return dy * std::fma(-y, y, 1.0f);
    case ActivationGradient::kSigmoid:
      return (dy * y) * (1.0f - y);
  }
  return dy;
}

float Power(float x, float exponent) {
  if (exponent == 0.5f) return std::sqrt(x);
  if (exponent < -64.0f || exponent > 64.0f || exponent != std::floor(exponent)) {
    return Exp(exponent * Log(x));
  }
  float product = 1.0f;
  for (int left = static_cast<int>(std::fabs(exponent)); left != 0; left /= 2) {
    if (left % 2 == 1) product = product * x;
    x = x * x;
  }
  return exponent < 0.0f ? 1.0f / product : product;
}

float Gradient(float sum, float parameter, float batch_size, float weight_decay) {
  const float g = sum / batch_size;
  return weight_decay != 0.0f ? std::fma(weight_decay, parameter, g) : g;
}

}  // namespace

void Matmul(int64_t m, int64_t n, int64_t k, MatmulOperand a, MatmulOperand b, const float* bias,
            Activation activation, float* c) {
  for (int64_t row = 0; row < m; ++row) {
    for (int64_t column = 0; column < n; ++column) {
      float sum = 0.0f;
      for (int64_t i = 0; i < k; ++i) {
        const float left = a.transposed ? a.data[i * m + row] : a.data[row * k + i];
        const float right = b.transposed ? b.data[column * k + i] : b.data[i * n + column];
        sum = std::fma(left, right, sum);
      }
      if (bias != nullptr) sum = sum + bias[column];
      if (activation == Activation::kRelu) sum = sum <= 0.0f ? 0.0f : sum;
      c[row * n + column] = sum;
    }
  }
}

void MatmulShardTree(int64_t m, int64_t n, absl::Span<const int64_t> cuts, const float* a,
                     const float* b, float* c) {
  const int shards = static_cast<int>(cuts.size()) - 1;
  const std::vector<float> sum = TreeSum({0, shards}, [&](int shard) {
    std::vector<float> product(m * n);
    reference::Matmul(m, n, cuts[shard + 1] - cuts[shard], {a + cuts[shard] * m, true},
                      {b + cuts[shard] * n, false}, nullptr, Activation::kNone, product.data());
    return product;
  });
  for (int64_t i = 0; i < m * n; ++i) c[i] = sum[i];
}

void Unary(UnaryOp op, int64_t size, const float* x, float* out) {
  for (int64_t i = 0; i < size; ++i) out[i] = Apply(op, x[i]);
}

void Binary(BinaryOp op, int64_t size, const float* a, const float* b, float* out) {
  for (int64_t i = 0; i < size; ++i) out[i] = Apply(op, a[i], b[i]);
}

void BinaryScalarRight(BinaryOp op, int64_t size, const float* a, float s, float* out) {
  for (int64_t i = 0; i < size; ++i) out[i] = Apply(op, a[i], s);
}

void BinaryScalarLeft(BinaryOp op, int64_t size, float s, const float* b, float* out) {
  for (int64_t i = 0; i < size; ++i) out[i] = Apply(op, s, b[i]);
}

void BinaryRow(BinaryOp op, int64_t rows, int64_t columns, const float* a, const float* row,
               float* out) {
  for (int64_t i = 0; i < rows * columns; ++i) out[i] = Apply(op, a[i], row[i % columns]);
}

void BinaryColumn(BinaryOp op, int64_t rows, int64_t columns, const float* a, const float* column,
                  float* out) {
  for (int64_t i = 0; i < rows * columns; ++i) out[i] = Apply(op, a[i], column[i / columns]);
}

void ActivationBackward(ActivationGradient op, int64_t size, const float* dy, const float* y,
                        float* out) {
  for (int64_t i = 0; i < size; ++i) out[i] = Apply(op, dy[i], y[i]);
}

void Power(int64_t size, const float* x, float exponent, float* out) {
  for (int64_t i = 0; i < size; ++i) out[i] = Power(x[i], exponent);
}

void SumRows(int64_t rows, int64_t columns, const float* x, float* out) {
  for (int64_t row = 0; row < rows; ++row) {
    float lanes[16] = {};
    for (int64_t c = 0; c < columns; ++c) lanes[c % 16] = lanes[c % 16] + x[row * columns + c];
    for (int i = 0; i < 8; ++i) lanes[i] = lanes[i] + lanes[i + 8];
    for (int i = 0; i < 4; ++i) lanes[i] = lanes[i] + lanes[i + 4];
    for (int i = 0; i < 2; ++i) lanes[i] = lanes[i] + lanes[i + 2];
    out[row] = lanes[0] + lanes[1];
  }
}

void SumColumns(int64_t rows, int64_t columns, const float* x, float* out) {
  for (int64_t c = 0; c < columns; ++c) {
    out[c] = 0.0f;
    for (int64_t row = 0; row < rows; ++row) out[c] = out[c] + x[row * columns + c];
  }
}

void SumColumnsShardTree(int64_t columns, absl::Span<const int64_t> cuts, const float* x,
                         float* out) {
  const int shards = static_cast<int>(cuts.size()) - 1;
  const std::vector<float> sum = TreeSum({0, shards}, [&](int shard) {
    std::vector<float> sums(columns);
    SumColumns(cuts[shard + 1] - cuts[shard], columns, x + cuts[shard] * columns, sums.data());
    return sums;
  });
  for (int64_t c = 0; c < columns; ++c) out[c] = sum[c];
}

void SoftmaxCrossEntropy(int64_t rows, int64_t classes, const float* logits, const int64_t* labels,
                         float* losses, float* probabilities, int64_t* predictions) {
  for (int64_t row = 0; row < rows; ++row) {
    const float* x = logits + row * classes;
    float maximum = x[0];
    for (int64_t c = 0; c < classes; ++c) {
      if (x[c] > maximum || x[c] != x[c]) maximum = x[c];
    }
    std::vector<float> e(classes);
    for (int64_t c = 0; c < classes; ++c) e[c] = Exp(x[c] - maximum);
    float sum;
    SumRows(1, classes, e.data(), &sum);
    losses[row] = (maximum - x[labels[row]]) + Log(sum);
    for (int64_t c = 0; probabilities != nullptr && c < classes; ++c) {
      probabilities[row * classes + c] = e[c] / sum;
    }
    if (predictions == nullptr) continue;
    predictions[row] = 0;
    for (int64_t c = classes - 1; c >= 0; --c) {
      if (x[c] == maximum) predictions[row] = c;
    }
  }
}

void SoftmaxCrossEntropyBackward(int64_t rows, int64_t classes, const float* probabilities,
                                 const int64_t* labels, const float* scale, float* dlogits) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t c = 0; c < classes; ++c) {
      const float target = c == labels[row] ? 1.0f : 0.0f;
      const float factor = scale != nullptr ? scale[row] : 1.0f;
      dlogits[row * classes + c] = (probabilities[row * classes + c] - target) * factor;
    }
  }
}

void SgdUpdate(const SgdStep& step, absl::Span<const float> gradient_sum,
               absl::Span<const float> parameter, absl::Span<float> velocity,
               absl::Span<float> new_parameter) {
  for (size_t i = 0; i < parameter.size(); ++i) {
    float g = Gradient(gradient_sum[i], parameter[i], step.batch_size, step.weight_decay);
    if (step.momentum != 0.0f) {
      velocity[i] = step.first_step ? g : std::fma(step.momentum, velocity[i], g);
      g = step.nesterov ? std::fma(step.momentum, velocity[i], g) : velocity[i];
    }
    new_parameter[i] = std::fma(-step.learning_rate, g, parameter[i]);
  }
}

void AdamUpdate(const AdamStep& step, absl::Span<const float> gradient_sum,
                absl::Span<const float> parameter, absl::Span<float> first_moment,
                absl::Span<float> second_moment, absl::Span<float> new_parameter) {
  for (size_t i = 0; i < parameter.size(); ++i) {
    const float g = Gradient(gradient_sum[i], parameter[i], step.batch_size, step.weight_decay);
    float& m = first_moment[i];
    float& v = second_moment[i];
    m = std::fma(step.beta1, m, step.one_minus_beta1 * g);
    v = std::fma(step.beta2, v, (step.one_minus_beta2 * g) * g);
    const float d = std::sqrt(v) / step.bias_correction2_root + step.epsilon;
    new_parameter[i] = std::fma(-step.step_size, m / d, parameter[i]);
  }
}

void AddInPlace(absl::Span<float> sum, absl::Span<const float> other) {
  for (size_t i = 0; i < sum.size(); ++i) sum[i] = sum[i] + other[i];
}

}  // namespace lockstep::kernels::reference
