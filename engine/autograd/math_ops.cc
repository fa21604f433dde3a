#include "engine/autograd/math_ops.h"

#include "engine/autograd/arithmetic_ops.h"
#include "engine/autograd/comparison_ops.h"
#include "engine/autograd/elementwise_tensors.h"
#include "engine/autograd/expand_ops.h"
#include "engine/autograd/node.h"
#include "engine/kernels/activation.h"

namespace lockstep::autograd {
namespace {

using kernels::ActivationConstants;
using kernels::ActivationFunction;
using kernels::BinaryOp;
using kernels::UnaryOp;

Tensor Times(const Tensor& a, const Tensor& b) {
  return Compute("multiply", BinaryOp::kMultiply, a, b);
}
Tensor Plus(const Tensor& x, double number) {
  return Compute("add", BinaryOp::kAdd, x, Tensor::Scalar(number, x.dtype()));
}

// y = op(x); `gradient(dy, x, y)` is dx, on tensors and on variables.
template <class OnTensors, class OnVariables>
Variable Apply(const char* name, UnaryOp op, const Variable& argument, OnTensors gradient,
               OnVariables graph_gradient) {
  const Tensor x = argument.value();
  const Tensor y = Compute(op, x);
  return MakeResult(
      name, y, {argument},
      WithGraph(
          [x, y, gradient](const Tensor& upstream, InputGradients& gradients) {
            gradients.Add(0, gradient(upstream, x, y));
          },
          [x, y, graph_gradient](const Variable& upstream, GraphGradients& gradients) {
            gradients.Add(0, graph_gradient(upstream, gradients.Input(0, x), gradients.Result(y)));
          }));
}

// 1 where the first operand is taken, 1/2 where they are equal, else 0.
Tensor ShareOfFirst(BinaryOp wins, const Tensor& a, const Tensor& b) {
  return Compute("add", BinaryOp::kAdd, Compute("compare", wins, a, b),
                 Scaled(Compute("compare", BinaryOp::kEqual, a, b), 0.5));
}

Variable TakeOne(const char* name, BinaryOp op, BinaryOp wins, const Variable& a,
                 const Variable& b) {
  const Tensor x = a.value(), z = b.value();
  Tensor y = Compute(name, op, x, z);
  const Unbroadcast to_a(a.shape(), y.shape()), to_b(b.shape(), y.shape());
  return MakeResult(name, std::move(y), {a, b},
                    [wins, x, z, to_a, to_b](const Tensor& upstream, InputGradients& gradients) {
                      if (gradients.Wanted(0))
                        gradients.Add(0, to_a(Times(upstream, ShareOfFirst(wins, x, z))));
                      if (gradients.Wanted(1))
                        gradients.Add(1, to_b(Times(upstream, ShareOfFirst(wins, z, x))));
                    });
}

// Where `condition` is not 0, +0 instead of x.
Tensor ZeroWhere(const Tensor& condition, const Tensor& x) {
  return SelectTensor("where", condition, Tensor::Scalar(0, x.dtype()), x);
}

Tensor PowGradientOfBase(const Tensor& dy, const Tensor& a, const Tensor& b) {
  const Tensor lower = Compute("pow", BinaryOp::kPower, a, Plus(b, -1));
  const Tensor slope = Times(dy, Times(b, lower));
  const Tensor zero = Tensor::Scalar(0, b.dtype());
  return ZeroWhere(Compute("pow", BinaryOp::kEqual, b, zero), slope);
}

Tensor PowGradientOfExponent(const Tensor& dy, const Tensor& a, const Tensor& b, const Tensor& y) {
  const Tensor slope = Times(dy, Times(y, Compute(UnaryOp::kLog, a)));
  const Tensor zero = Tensor::Scalar(0, b.dtype());
  const Tensor flat = Times(Compute("pow", BinaryOp::kEqual, a, zero),
                            Compute("pow", BinaryOp::kGreaterEqual, b, zero));
  return ZeroWhere(flat, slope);
}

}  // namespace

Variable Abs(const Variable& x) {
  return Apply(
      "abs", UnaryOp::kAbsolute, x,
      [](const Tensor& dy, const Tensor& x, const Tensor&) {
        return Times(dy, Compute(UnaryOp::kSign, x));
      },
      [](const Variable& dy, const Variable& x, const Variable&) {
        return dy * Variable(Compute(UnaryOp::kSign, x.value()));
      });
}
Variable Sqrt(const Variable& x) {
  return Apply(
      "sqrt", UnaryOp::kSquareRoot, x,
      [](const Tensor& dy, const Tensor&, const Tensor& y) {
        return Compute("sqrt", BinaryOp::kDivide, Scaled(dy, 0.5), y);
      },
      [](const Variable& dy, const Variable&, const Variable& y) { return (dy * 0.5) / y; });
}
Variable Rsqrt(const Variable& x) {
  return Apply(
      "rsqrt", UnaryOp::kReciprocalSquareRoot, x,
      [](const Tensor& dy, const Tensor&, const Tensor& y) {
        return Scaled(Times(dy, PowerOf(y, 3)), -0.5);
      },
      [](const Variable& dy, const Variable&, const Variable& y) {
        return (dy * Power(y, 3)) * -0.5;
      });
}
Variable Sin(const Variable& argument) {
  const Tensor x = argument.value();
  return MakeResult("sin", Compute(UnaryOp::kSin, x), {argument},
                    WithGraph(
                        [x](const Tensor& upstream, InputGradients& gradients) {
                          gradients.Add(0, Times(upstream, Compute(UnaryOp::kCos, x)));
                        },
                        [x](const Variable& upstream, GraphGradients& gradients) {
                          gradients.Add(0, upstream * Cos(gradients.Input(0, x)));
                        }));
}
Variable Cos(const Variable& argument) {
  const Tensor x = argument.value();
  return MakeResult("cos", Compute(UnaryOp::kCos, x), {argument},
                    WithGraph(
                        [x](const Tensor& upstream, InputGradients& gradients) {
                          const Tensor slope = Times(upstream, Compute(UnaryOp::kSin, x));
                          gradients.Add(0, Compute(UnaryOp::kNegate, slope));
                        },
                        [x](const Variable& upstream, GraphGradients& gradients) {
                          gradients.Add(0, -(upstream * Sin(gradients.Input(0, x))));
                        }));
}
Variable Erf(const Variable& x) {
  constexpr double kTwoOverSqrtPi = 1.1283791670955126;
  return Apply(
      "erf", UnaryOp::kErf, x,
      [](const Tensor& dy, const Tensor& x, const Tensor&) {
        const Tensor bell = Compute(UnaryOp::kExp, Compute(UnaryOp::kNegate, Times(x, x)));
        return Times(dy, Scaled(bell, kTwoOverSqrtPi));
      },
      [](const Variable& dy, const Variable& x, const Variable&) {
        return dy * (Exp(-(x * x)) * kTwoOverSqrtPi);
      });
}
Variable Expm1(const Variable& x) {
  return Apply(
      "expm1", UnaryOp::kExpm1, x,
      [](const Tensor& dy, const Tensor&, const Tensor& y) { return Times(dy, Plus(y, 1)); },
      [](const Variable& dy, const Variable&, const Variable& y) { return dy * (y + 1); });
}
Variable Log1p(const Variable& x) {
  return Apply(
      "log1p", UnaryOp::kLog1p, x,
      [](const Tensor& dy, const Tensor& x, const Tensor&) {
        return Compute("log1p", BinaryOp::kDivide, dy, Plus(x, 1));
      },
      [](const Variable& dy, const Variable& x, const Variable&) { return dy / (x + 1); });
}

Variable Pow(const Variable& a, const Variable& b) {
  const Tensor x = a.value(), z = b.value();
  const Tensor y = Compute("pow", BinaryOp::kPower, x, z);
  const Unbroadcast to_a(a.shape(), y.shape()), to_b(b.shape(), y.shape());
  return MakeResult("pow", y, {a, b},
                    [x, z, y, to_a, to_b](const Tensor& upstream, InputGradients& gradients) {
                      if (gradients.Wanted(0))
                        gradients.Add(0, to_a(PowGradientOfBase(upstream, x, z)));
                      if (gradients.Wanted(1))
                        gradients.Add(1, to_b(PowGradientOfExponent(upstream, x, z, y)));
                    });
}

Variable Maximum(const Variable& a, const Variable& b) {
  return TakeOne("maximum", BinaryOp::kMaximum, BinaryOp::kGreater, a, b);
}
Variable Minimum(const Variable& a, const Variable& b) {
  return TakeOne("minimum", BinaryOp::kMinimum, BinaryOp::kLess, a, b);
}

Variable Clamp(const Variable& argument, double least, double most) {
  const Tensor x = argument.value();
  const ActivationConstants bounds = {least, most};
  Tensor y = Tensor::Empty(x.shape(), x.dtype());
  VisitFloating("clamp", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::Activate(ActivationFunction::kClamp, bounds, x.element_count(), x.data<T>(),
                      y.data<T>());
  });
  return MakeResult("clamp", std::move(y), {argument},
                    [x, bounds](const Tensor& upstream, InputGradients& gradients) {
                      Tensor dx = gradients.Destination(0);
                      VisitFloating("clamp", x.dtype(), [&](auto zero) {
                        using T = decltype(zero);
                        kernels::ActivateBackward(ActivationFunction::kClamp, bounds,
                                                  x.element_count(), upstream.data<T>(),
                                                  x.data<T>(), dx.data<T>());
                      });
                      gradients.Add(0, dx);
                    });
}

}  // namespace lockstep::autograd
