#include "engine/autograd/activation_ops.h"

#include "engine/autograd/node.h"
#include "engine/kernels/elementwise.h"

namespace lockstep::autograd {
namespace {

using kernels::ActivationGradient;
using kernels::UnaryOp;

Variable Activate(const char* name, UnaryOp op, ActivationGradient gradient, const Variable& x) {
  Tensor y = Tensor::Empty(x.shape());
  kernels::Unary(op, y.element_count(), x.value().data<float>(), y.data<float>());
  return MakeResult(name, y, {x}, [y, gradient](const Tensor& upstream, InputGradients& gradients) {
    Tensor dx = gradients.Destination(0);
    kernels::ActivationBackward(gradient, y.element_count(), upstream.data<float>(),
                                y.data<float>(), dx.data<float>());
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
