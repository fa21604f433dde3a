#include "engine/nn/loss.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/autograd/cosine_embedding_ops.h"
#include "engine/autograd/pointwise_loss_ops.h"
#include "engine/autograd/shape_ops.h"

namespace lockstep::nn {
namespace {

using autograd::Variable;

// Not a class: anything that is not a whole number, or beyond all classes.
constexpr int64_t kNoClass = -1;
constexpr float kTooManyClasses = 16777216.0f;  // 2^24, up to which float32 is exact

int64_t ClassOf(float label) {
  if (!(label >= 0 && label < kTooManyClasses)) return kNoClass;
  const int64_t whole = static_cast<int64_t>(label);
  return static_cast<float>(whole) == label ? whole : kNoClass;
}

Tensor AsClasses(const Tensor& labels) {
  if (labels.dtype() == DType::kInt64) return labels;
  Tensor classes = Tensor::Empty(labels.shape(), DType::kInt64);
  for (int64_t i = 0; i < labels.element_count(); ++i) {
    classes.data<int64_t>()[i] = ClassOf(labels.data<float>()[i]);
  }
  return classes;
}

// The first greatest element of each row of the last axis, as `shape`.
Tensor GreatestOfRows(const Tensor& x, const Shape& shape) {
  Tensor greatest = Tensor::Empty(shape, DType::kInt64);
  const int64_t size = x.dim(-1);
  VisitFloating("accuracy", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (int64_t r = 0; r < greatest.element_count(); ++r) {
      const T* row = x.data<T>() + r * size;
      greatest.data<int64_t>()[r] = std::max_element(row, row + size) - row;
    }
  });
  return greatest;
}

// The axes before the last; nothing where there is no such axis.
std::optional<Shape> PositionsOf(const Shape& outputs) {
  if (outputs.rank() < 2) return std::nullopt;
  const Extents& axes = outputs.extents();
  return Shape(absl::MakeConstSpan(axes.begin(), axes.end() - 1));
}

const char* NameOf(TargetLossKind kind) {
  switch (kind) {
    case TargetLossKind::kMeanSquaredError:
      return "mse";
    case TargetLossKind::kL1:
      return "l1";
    case TargetLossKind::kHuber:
      return "huber";
    case TargetLossKind::kBinaryCrossEntropy:
      return "bce";
    case TargetLossKind::kBinaryCrossEntropyWithLogits:
      return "bce_with_logits";
    case TargetLossKind::kHinge:
      return "hinge";
    case TargetLossKind::kKlDivergence:
      return "kl_divergence";
    case TargetLossKind::kCosineEmbedding:
      return "cosine_embedding";
  }
  return "";
}

// Adds what outputs above `threshold` answer to targets above `target_threshold`.
void CountSides(const Tensor& outputs, const Tensor& targets, double threshold,
                double target_threshold, LossResult* result) {
  VisitFloating("accuracy", outputs.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* x = outputs.data<T>();
    const T* t = targets.data<T>();
    result->predictions = outputs.element_count();
    for (int64_t i = 0; i < outputs.element_count(); ++i) {
      result->correct += (x[i] > threshold) == (t[i] > target_threshold);
    }
  });
}

Variable CosineLoss(const Variable& outputs, const Tensor& targets) {
  const int64_t rows = outputs.dim(0);
  const Shape pairs{rows, rows == 0 ? 1 : targets.element_count() / rows};
  return autograd::CosineEmbeddingLoss(autograd::Reshape(outputs, pairs),
                                       Variable(targets.Reshape(pairs)),
                                       Tensor::Full({rows}, 1, outputs.dtype()));
}

}  // namespace

absl::Status ClassLoss::Check(const Shape& outputs, const Tensor& labels) const {
  const std::optional<Shape> positions = PositionsOf(outputs);
  if (!positions.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat(name_, ": got outputs ", outputs.ToString(), ", want [n, ..., classes]"));
  }
  if (labels.shape() != *positions) {
    return absl::InvalidArgumentError(
        absl::StrCat(name_, ": got labels of shape ", labels.shape().ToString(), " for outputs ",
                     outputs.ToString(), ", want ", positions->ToString()));
  }
  const Tensor classes = AsClasses(labels);
  for (int64_t i = 0; i < classes.element_count(); ++i) {
    const int64_t label = classes.data<int64_t>()[i];
    if ((label >= 0 && label < outputs.dim(-1)) || label == settings_.ignored_label) continue;
    const Tensor row = labels.Reshape({labels.element_count(), 1}).Rows(i, i + 1).Reshape({});
    return absl::InvalidArgumentError(
        absl::StrCat(name_, ": got label ", row.ToString(), " at position ", i,
                     " of the batch, want a whole number from 0 to ", outputs.dim(-1) - 1));
  }
  return absl::OkStatus();
}

autograd::CrossEntropyOptions ClassLoss::OptionsFor(DType dtype) const {
  autograd::CrossEntropyOptions options;
  const std::vector<float>& weights = settings_.class_weights;
  if (!weights.empty()) {
    options.class_weights =
        Tensor::FromVector({static_cast<int64_t>(weights.size())}, weights).To(dtype);
  }
  options.ignored_label = settings_.ignored_label;
  options.label_smoothing = settings_.label_smoothing;
  return options;
}

void ClassLoss::Count(const Tensor& predictions, const Tensor& classes, LossResult* result) const {
  for (int64_t i = 0; i < classes.element_count(); ++i) {
    const int64_t label = classes.data<int64_t>()[i];
    if (label == settings_.ignored_label) continue;
    ++result->predictions;
    result->correct += predictions.data<int64_t>()[i] == label;
  }
}

LossResult CrossEntropy::Forward(const Variable& outputs, const Tensor& labels) const {
  const Tensor classes = AsClasses(labels);
  const autograd::CrossEntropyResult losses =
      autograd::CrossEntropyLoss(outputs, classes, OptionsFor(outputs.dtype()));
  LossResult result{losses.losses};
  Count(losses.predictions, classes, &result);
  return result;
}

LossResult NegativeLogLikelihood::Forward(const Variable& outputs, const Tensor& labels) const {
  const Tensor classes = AsClasses(labels);
  LossResult result{autograd::NllLoss(outputs, classes, OptionsFor(outputs.dtype()))};
  Count(GreatestOfRows(outputs.value(), classes.shape()), classes, &result);
  return result;
}

absl::Status TargetLoss::Check(const Shape& outputs, const Tensor& labels) const {
  const bool one_each = outputs.rank() >= 1 && labels.rank() >= 1 &&
                        labels.dim(0) == outputs.dim(0) &&
                        labels.element_count() == outputs.element_count();
  if (one_each) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(NameOf(kind_), ": got labels of shape ", labels.shape().ToString(),
                   " for outputs ", outputs.ToString(), ", want one label for each output"));
}

LossResult TargetLoss::Forward(const Variable& outputs, const Tensor& labels) const {
  const Tensor targets = labels.Reshape(outputs.shape()).To(outputs.dtype());
  LossResult result;
  switch (kind_) {
    case TargetLossKind::kMeanSquaredError:
      result.losses = autograd::MseLoss(outputs, targets);
      break;
    case TargetLossKind::kL1:
      result.losses = autograd::L1Loss(outputs, targets);
      break;
    case TargetLossKind::kHuber:
      result.losses = autograd::HuberLoss(outputs, targets, parameter_);
      break;
    case TargetLossKind::kBinaryCrossEntropy:
      result.losses = autograd::BinaryCrossEntropyLoss(outputs, targets);
      CountSides(outputs.value(), targets, 0.5, 0.5, &result);
      break;
    case TargetLossKind::kBinaryCrossEntropyWithLogits:
      result.losses = autograd::BinaryCrossEntropyWithLogitsLoss(outputs, targets, parameter_);
      CountSides(outputs.value(), targets, 0, 0.5, &result);
      break;
    case TargetLossKind::kHinge:
      result.losses = autograd::HingeLoss(outputs, targets);
      CountSides(outputs.value(), targets, 0, 0, &result);
      break;
    case TargetLossKind::kKlDivergence:
      result.losses = autograd::KlDivergenceLoss(outputs, targets);
      break;
    case TargetLossKind::kCosineEmbedding:
      result.losses = CosineLoss(outputs, targets);
      break;
  }
  return result;
}

double SumLosses(const Tensor& losses) {
  double sum = 0;
  for (float loss : losses.span<float>()) sum += loss;
  return sum;
}

}  // namespace lockstep::nn
