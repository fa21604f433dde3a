#include "engine/autograd/activation_ops.h"

#include "engine/autograd/arithmetic_ops.h"
#include "engine/autograd/node.h"
#include "engine/kernels/activation.h"
#include "engine/kernels/elementwise.h"

namespace lockstep::autograd {
namespace {

using kernels::ActivationConstants;
using kernels::ActivationFunction;
using kernels::ActivationGradient;
using kernels::UnaryOp;

Tensor GradientOf(const char* name, ActivationGradient gradient, const Tensor& upstream,
                  const Tensor& y, Tensor dx) {
  VisitFloating(name, y.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::ActivationBackward(gradient, y.element_count(), upstream.data<T>(), y.data<T>(),
                                dx.data<T>());
  });
  return dx;
}

// The same as operations: `y` is the result with its place in the graph.
Variable GradientOf(ActivationGradient gradient, const Variable& upstream, const Variable& y) {
  switch (gradient) {
    case ActivationGradient::kTanh:
      return upstream * (1 - y * y);
    case ActivationGradient::kSigmoid:
      return (upstream * y) * (1 - y);
    case ActivationGradient::kRelu:
      break;
  }
  const Tensor ones = Tensor::Full(y.shape(), 1, y.dtype());
  return upstream * Variable(GradientOf("relu", ActivationGradient::kRelu, ones, y.value(),
                                        Tensor::Empty(y.shape(), y.dtype())));
}

Variable Activate(const char* name, UnaryOp op, ActivationGradient gradient, const Variable& x) {
  Tensor y = Tensor::Empty(x.shape(), x.dtype());
  VisitFloating(name, x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::Unary(op, y.element_count(), x.value().data<T>(), y.data<T>());
  });
  return MakeResult(name, y, {x},
                    WithGraph(
                        [name, y, gradient](const Tensor& upstream, InputGradients& gradients) {
                          gradients.Add(
                              0, GradientOf(name, gradient, upstream, y, gradients.Destination(0)));
                        },
                        [y, gradient](const Variable& upstream, GraphGradients& gradients) {
                          gradients.Add(0, GradientOf(gradient, upstream, gradients.Result(y)));
                        }));
}

Variable Activate(const char* name, ActivationFunction f, ActivationConstants constants,
                  const Variable& argument) {
  const Tensor x = argument.value();
  Tensor y = Tensor::Empty(x.shape(), x.dtype());
  VisitFloating(name, x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::Activate(f, constants, x.element_count(), x.data<T>(), y.data<T>());
  });
  return MakeResult(name, std::move(y), {argument},
                    [name, f, constants, x](const Tensor& upstream, InputGradients& gradients) {
                      Tensor dx = gradients.Destination(0);
                      VisitFloating(name, x.dtype(), [&](auto zero) {
                        using T = decltype(zero);
                        kernels::ActivateBackward(f, constants, x.element_count(),
                                                  upstream.data<T>(), x.data<T>(), dx.data<T>());
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

Variable Gelu(const Variable& x) { return Activate("gelu", ActivationFunction::kGelu, {}, x); }
Variable GeluTanh(const Variable& x) {
  return Activate("gelu_tanh", ActivationFunction::kGeluTanh, {}, x);
}
Variable Silu(const Variable& x) { return Activate("silu", ActivationFunction::kSilu, {}, x); }
Variable Softplus(const Variable& x, double beta, double threshold) {
  return Activate("softplus", ActivationFunction::kSoftplus, {beta, threshold}, x);
}
Variable LeakyRelu(const Variable& x, double negative_slope) {
  return Activate("leaky_relu", ActivationFunction::kLeakyRelu, {negative_slope}, x);
}
Variable Elu(const Variable& x, double alpha) {
  return Activate("elu", ActivationFunction::kElu, {alpha}, x);
}
Variable Hardtanh(const Variable& x, double least, double most) {
  return Activate("hardtanh", ActivationFunction::kHardtanh, {least, most}, x);
}
Variable Relu6(const Variable& x) {
  return Activate("relu6", ActivationFunction::kHardtanh, {0, 6}, x);
}

}  // namespace lockstep::autograd
