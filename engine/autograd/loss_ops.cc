#include "engine/autograd/loss_ops.h"

#include "absl/strings/str_cat.h"
#include "engine/autograd/node.h"
#include "engine/check.h"
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

}  // namespace lockstep::autograd
