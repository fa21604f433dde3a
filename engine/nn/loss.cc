#include "engine/nn/loss.h"

#include "absl/strings/str_cat.h"
#include "engine/autograd/loss_ops.h"
#include "engine/autograd/shape_ops.h"

namespace lockstep::nn {
namespace {

using autograd::Variable;

absl::Status CheckLabelShape(const char* loss, const Shape& outputs, const Tensor& labels) {
  if (outputs.rank() >= 1 && labels.shape() == Shape{outputs.dim(0)}) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(loss, ": got labels of shape ",
                                                 labels.shape().ToString(), " for outputs ",
                                                 outputs.ToString(), ", want one per example"));
}

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

Tensor AsFloats(const Tensor& labels) {
  if (labels.dtype() == DType::kFloat32) return labels;
  Tensor floats = Tensor::Empty(labels.shape());
  for (int64_t i = 0; i < labels.element_count(); ++i) {
    floats.data<float>()[i] = static_cast<float>(labels.data<int64_t>()[i]);
  }
  return floats;
}

}  // namespace

absl::Status CrossEntropy::Check(const Shape& outputs, const Tensor& labels) const {
  if (absl::Status status = CheckLabelShape("cross_entropy", outputs, labels); !status.ok()) {
    return status;
  }
  if (outputs.rank() != 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("cross_entropy: got outputs ", outputs.ToString(), ", want [n, classes]"));
  }
  const Tensor classes = AsClasses(labels);
  for (int64_t i = 0; i < classes.element_count(); ++i) {
    const int64_t label = classes.data<int64_t>()[i];
    if (label >= 0 && label < outputs.dim(1)) continue;
    const Tensor row = labels.Reshape({labels.element_count(), 1}).Rows(i, i + 1).Reshape({});
    return absl::InvalidArgumentError(
        absl::StrCat("cross_entropy: got label ", row.ToString(), " in row ", i,
                     ", want a whole number from 0 to ", outputs.dim(1) - 1));
  }
  return absl::OkStatus();
}

LossResult CrossEntropy::Forward(const Variable& outputs, const Tensor& labels) const {
  const Tensor classes = AsClasses(labels);
  autograd::CrossEntropyResult result = autograd::CrossEntropyLoss(outputs, classes);
  int64_t correct = 0;
  for (int64_t i = 0; i < classes.element_count(); ++i) {
    correct += result.predictions.data<int64_t>()[i] == classes.data<int64_t>()[i];
  }
  return {result.losses, correct};
}

absl::Status MeanSquaredError::Check(const Shape& outputs, const Tensor& labels) const {
  if (absl::Status status = CheckLabelShape("mse", outputs, labels); !status.ok()) return status;
  if (outputs.rank() == 1 || (outputs.rank() == 2 && outputs.dim(1) == 1)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("mse: got outputs ", outputs.ToString(),
                                                 ", want one per example, as there is one label"));
}

LossResult MeanSquaredError::Forward(const Variable& outputs, const Tensor& labels) const {
  return {autograd::MseLoss(outputs, AsFloats(labels).Reshape(outputs.shape())), std::nullopt};
}

double SumLosses(const Tensor& losses) {
  double sum = 0;
  for (float loss : losses.span<float>()) sum += loss;
  return sum;
}

}  // namespace lockstep::nn
