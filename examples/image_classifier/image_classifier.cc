#include "examples/image_classifier/image_classifier.h"

#include <cmath>
#include <cstdint>

#include "engine/autograd/activation_ops.h"
#include "engine/autograd/grad_mode.h"
#include "engine/autograd/linear_ops.h"
#include "engine/autograd/pointwise_loss_ops.h"
#include "engine/autograd/reduction_ops.h"
#include "engine/optim/gradient_descent.h"

namespace lockstep::examples {
namespace {

using autograd::Variable;

constexpr int64_t kPixels = 64 * 64 * 3;
constexpr int64_t kPictures = 16;
constexpr int64_t kWidths[] = {kPixels, 20, 7, 5, 1};
constexpr int kLayers = 4;
constexpr double kLearningRate = 0.0075;

// Numerical Recipes' generator; 24 bits of each state.
class WholeNumbers {
 public:
  explicit WholeNumbers(uint32_t seed) : state_(seed) {}
  uint32_t Next() {
    state_ = state_ * 1664525u + 1013904223u;
    return state_ >> 8;
  }

 private:
  uint32_t state_;
};

Tensor MakePictures() {
  Tensor pictures = Tensor::Empty({kPictures, kPixels}, DType::kFloat64);
  WholeNumbers noise(1);
  for (int64_t i = 0; i < kPictures * kPixels; ++i) {
    const bool first_half = i % kPixels / 64 % 8 < 4;
    const bool positive = i / kPixels % 2 == 1;
    const uint32_t stripe = first_half == positive ? 765 : 0;
    pictures.data<double>()[i] = (7 * (noise.Next() % 256) + stripe) / 2550.0;
  }
  return pictures;
}

Tensor MakeWeight(int layer) {
  const int64_t fan_in = kWidths[layer];
  Tensor weight = Tensor::Empty({kWidths[layer + 1], fan_in}, DType::kFloat64);
  WholeNumbers numbers(100 + layer);
  for (double& value : weight.span<double>()) {
    value = (numbers.Next() / 8388608.0 - 1) / std::sqrt(static_cast<double>(fan_in));
  }
  return weight;
}

}  // namespace

ImageClassifier::ImageClassifier()
    : images_(MakePictures()), labels_(Tensor::Zeros({kPictures, 1}, DType::kFloat64)) {
  for (int64_t i = 1; i < kPictures; i += 2) labels_.data<double>()[i] = 1;
  for (int layer = 0; layer < kLayers; ++layer) {
    parameters_.emplace_back(MakeWeight(layer), /*requires_grad=*/true);
    parameters_.emplace_back(Tensor::Zeros({kWidths[layer + 1]}, DType::kFloat64), true);
  }
}

Variable ImageClassifier::Probabilities() const {
  Variable hidden = images_;
  for (int layer = 0; layer < kLayers; ++layer) {
    hidden = autograd::Linear(hidden, parameters_[2 * layer], parameters_[2 * layer + 1]);
    hidden = layer + 1 < kLayers ? autograd::Relu(hidden) : autograd::Sigmoid(hidden);
  }
  return hidden;
}

double ImageClassifier::Step() {
  const Variable loss = autograd::Mean(autograd::BinaryCrossEntropyLoss(Probabilities(), labels_));
  loss.Backward();
  optim::GradientDescent(parameters_, kLearningRate);
  return loss.item();
}

double ImageClassifier::Accuracy() const {
  const autograd::NoGradGuard no_grad;
  const Tensor probabilities = Probabilities().value();
  int right = 0;
  for (int64_t i = 0; i < kPictures; ++i) {
    right += (probabilities.data<double>()[i] > 0.5) == (labels_.data<double>()[i] == 1);
  }
  return right / static_cast<double>(kPictures);
}

}  // namespace lockstep::examples
