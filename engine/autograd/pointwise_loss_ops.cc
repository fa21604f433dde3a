#include "engine/autograd/pointwise_loss_ops.h"

#include "absl/strings/str_cat.h"
#include "engine/autograd/node.h"
#include "engine/check.h"
#include "engine/kernels/pointwise_loss.h"

namespace lockstep::autograd {
namespace {

using kernels::PointwiseLossOp;

// `mean`: over the example's outputs; else their sum.
Variable PointwiseLoss(const char* name, PointwiseLossOp op, double parameter, bool mean,
                       const Variable& outputs, const Tensor& targets) {
  const Tensor& x = outputs.value();
  LOCKSTEP_CHECK(x.rank() >= 1 && x.shape() == targets.shape() && x.dtype() == targets.dtype(),
                 absl::StrCat(name, ": outputs ", DTypeName(x.dtype()), x.shape().ToString(),
                              " and targets ", DTypeName(targets.dtype()),
                              targets.shape().ToString(), ", want one shape [n, ...] and dtype"));
  const int64_t rows = x.dim(0);
  const int64_t columns = rows == 0 ? 1 : x.element_count() / rows;
  const double divisor = mean ? static_cast<double>(columns) : 1;
  Tensor losses = Tensor::Empty({rows}, x.dtype());
  VisitFloating(name, x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::PointwiseLoss(op, rows, columns, static_cast<T>(parameter), x.data<T>(),
                           targets.data<T>(), losses.data<T>());
    for (T& loss : losses.span<T>()) loss /= static_cast<T>(divisor);
  });
  return MakeResult(
      name, losses, {outputs}, [=](const Tensor& upstream, InputGradients& gradients) {
        Tensor dx = gradients.Destination(0);
        Tensor scale = upstream.Clone();
        VisitFloating(name, x.dtype(), [&](auto zero) {
          using T = decltype(zero);
          for (T& factor : scale.span<T>()) factor /= static_cast<T>(divisor);
          kernels::PointwiseLossBackward(op, rows, columns, static_cast<T>(parameter), x.data<T>(),
                                         targets.data<T>(), scale.data<T>(), dx.data<T>());
        });
        gradients.Add(0, dx);
      });
}

}  // namespace

Variable L1Loss(const Variable& outputs, const Tensor& targets) {
  return PointwiseLoss("l1_loss", PointwiseLossOp::kAbsolute, 0, true, outputs, targets);
}

Variable HuberLoss(const Variable& outputs, const Tensor& targets, double delta) {
  LOCKSTEP_CHECK(delta > 0, absl::StrCat("huber_loss: got delta ", delta, ", want > 0"));
  return PointwiseLoss("huber_loss", PointwiseLossOp::kHuber, delta, true, outputs, targets);
}

Variable BinaryCrossEntropyLoss(const Variable& probabilities, const Tensor& targets) {
  return PointwiseLoss("binary_cross_entropy", PointwiseLossOp::kBinaryCrossEntropy, 0, true,
                       probabilities, targets);
}

Variable BinaryCrossEntropyWithLogitsLoss(const Variable& logits, const Tensor& targets,
                                          double positive_weight) {
  return PointwiseLoss("binary_cross_entropy_with_logits",
                       PointwiseLossOp::kBinaryCrossEntropyWithLogits, positive_weight, true,
                       logits, targets);
}

Variable HingeLoss(const Variable& outputs, const Tensor& targets) {
  return PointwiseLoss("hinge_loss", PointwiseLossOp::kHinge, 0, true, outputs, targets);
}

Variable KlDivergenceLoss(const Variable& log_probabilities, const Tensor& targets) {
  return PointwiseLoss("kl_divergence", PointwiseLossOp::kKullbackLeibler, 0, false,
                       log_probabilities, targets);
}

}  // namespace lockstep::autograd
