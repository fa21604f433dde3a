#include "engine/autograd/activation_ops.h"

#include "engine/autograd/node.h"
#include "engine/kernels/elementwise.h"

namespace lockstep::autograd {
namespace {

using kernels::ActivationGradient;
using kernels::UnaryOp;

Variable Activate(const char* name, UnaryOp op, ActivationGradient gradient, const Variable& x) {
  Tensor y = Tensor::Empty(x.shape(), x.dtype());
  VisitFloating(name, x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::Unary(op, y.element_count(), x.value().data<T>(), y.data<T>());
  });
  return MakeResult(name, y, {x},
                    [name, y, gradient](const Tensor& upstream, InputGradients& gradients) {
                      Tensor dx = gradients.Destination(0);
                      VisitFloating(name, y.dtype(), [&](auto zero) {
                        using T = decltype(zero);
                        kernels::ActivationBackward(gradient, y.element_count(), upstream.data<T>(),
                                                    y.data<T>(), dx.data<T>());
                      });
                      gradients.Add(0, dx);
                    });
}

}  // namespace

Variable Relu(const Variable& x) {
  return Activate("relu", UnaryOp::kRelu, ActivationGradient::kRelu, x);
}
Variable Tanh(const Variable& x) {
  return Activate("tanh", UnaryOp::kTanh, ActivationGradient::kTanh, x);
}
Variable Sigmoid(const Variable& x) {
  return Activate("sigmoid", UnaryOp::kSigmoid, ActivationGradient::kSigmoid, x);
}

}  // namespace lockstep::autograd
