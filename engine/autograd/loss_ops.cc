#include "engine/autograd/loss_ops.h"

#include "absl/strings/str_cat.h"
#include "engine/autograd/node.h"
#include "engine/check.h"
#include "engine/kernels/cross_entropy.h"
#include "engine/kernels/elementwise.h"
#include "engine/kernels/reduce.h"

namespace lockstep::autograd {

using kernels::BinaryOp;

Variable MseLoss(const Variable& predictions, const Tensor& targets) {
  LOCKSTEP_CHECK(predictions.rank() >= 1 && predictions.shape() == targets.shape(),
                 absl::StrCat("mse: predictions ", predictions.shape().ToString(), " and targets ",
                              targets.shape().ToString(), " want one shape [n, ...]"));
  const int64_t rows = predictions.dim(0);
  const int64_t size = targets.element_count();
  const int64_t outputs = rows == 0 ? 1 : size / rows;
  const DType dtype = CommonDType("mse", predictions.value(), targets);
  Tensor difference = Tensor::Empty(targets.shape(), dtype);
  Tensor losses = Tensor::Empty({rows}, dtype);
  VisitFloating("mse", dtype, [&](auto zero) {
    using T = decltype(zero);
    kernels::Binary(BinaryOp::kSubtract, size, predictions.value().data<T>(), targets.data<T>(),
                    difference.data<T>());
    Tensor squares = Tensor::Empty(targets.shape(), dtype);
    kernels::Unary(kernels::UnaryOp::kSquare, size, difference.data<T>(), squares.data<T>());
    kernels::SumRows(rows, outputs, squares.data<T>(), losses.data<T>());
    kernels::BinaryScalarRight(BinaryOp::kDivide, rows, losses.data<T>(), static_cast<T>(outputs),
                               losses.data<T>());
  });
  return MakeResult(
      "mse_loss", losses, {predictions},
      [difference, rows, outputs](const Tensor& upstream, InputGradients& gradients) {
        Tensor dx = gradients.Destination(0);
        VisitFloating("mse", dx.dtype(), [&](auto zero) {
          using T = decltype(zero);
          T* to = dx.data<T>();
          kernels::BinaryScalarRight(BinaryOp::kMultiply, rows * outputs, difference.data<T>(),
                                     T{2} / static_cast<T>(outputs), to);
          kernels::BinaryColumn(BinaryOp::kMultiply, rows, outputs, to, upstream.data<T>(), to);
        });
        gradients.Add(0, dx);
      });
}

CrossEntropyResult CrossEntropyLoss(const Variable& logits, const Tensor& labels) {
  LOCKSTEP_CHECK(logits.rank() == 2 && labels.shape() == Shape{logits.dim(0)},
                 absl::StrCat("cross_entropy: logits ", logits.shape().ToString(), " and labels ",
                              labels.shape().ToString(), ", want [n, classes] and [n]"));
  const int64_t rows = logits.dim(0), classes = logits.dim(1);
  for (int64_t label : labels.span<int64_t>()) {
    LOCKSTEP_CHECK(label >= 0 && label < classes,
                   absl::StrCat("cross_entropy: got label ", label, ", want 0 to ", classes - 1));
  }
  const bool wants_gradient = logits.requires_grad();
  const DType dtype = logits.dtype();
  Tensor losses = Tensor::Empty({rows}, dtype);
  Tensor predictions = Tensor::Empty({rows}, DType::kInt64);
  Tensor probabilities = wants_gradient ? Tensor::Empty(logits.shape(), dtype) : Tensor();
  VisitFloating("cross_entropy", dtype, [&](auto zero) {
    using T = decltype(zero);
    kernels::SoftmaxCrossEntropy(
        rows, classes, logits.value().data<T>(), labels.data<int64_t>(), losses.data<T>(),
        wants_gradient ? probabilities.data<T>() : nullptr, predictions.data<int64_t>());
  });
  Variable result = MakeResult(
      "cross_entropy_loss", losses, {logits},
      [probabilities, labels, rows, classes](const Tensor& upstream, InputGradients& gradients) {
        Tensor dx = gradients.Destination(0);
        VisitFloating("cross_entropy", dx.dtype(), [&](auto zero) {
          using T = decltype(zero);
          kernels::SoftmaxCrossEntropyBackward(rows, classes, probabilities.data<T>(),
                                               labels.data<int64_t>(), upstream.data<T>(),
                                               dx.data<T>());
        });
        gradients.Add(0, dx);
      });
  return {result, predictions};
}

}  // namespace lockstep::autograd
