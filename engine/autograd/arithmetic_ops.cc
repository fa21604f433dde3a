#include "engine/autograd/arithmetic_ops.h"

#include "engine/autograd/elementwise_tensors.h"
#include "engine/autograd/expand_ops.h"
#include "engine/autograd/node.h"

namespace lockstep::autograd {
namespace {

using kernels::BinaryOp;
using kernels::UnaryOp;

Tensor Negated(const Tensor& x) { return Compute(UnaryOp::kNegate, x); }
Variable Negated(const Variable& x) { return Negate(x); }

}  // namespace

Variable Add(const Variable& a, const Variable& b) {
  Tensor y = Compute("add", BinaryOp::kAdd, a.value(), b.value());
  const Unbroadcast to_a(a.shape(), y.shape()), to_b(b.shape(), y.shape());
  const auto backward = [to_a, to_b](const auto& upstream, auto& gradients) {
    if (gradients.Wanted(0)) gradients.Add(0, to_a(upstream));
    if (gradients.Wanted(1)) gradients.Add(1, to_b(upstream));
  };
  return MakeResult("add", std::move(y), {a, b}, backward);
}

Variable Subtract(const Variable& a, const Variable& b) {
  Tensor y = Compute("subtract", BinaryOp::kSubtract, a.value(), b.value());
  const Unbroadcast to_a(a.shape(), y.shape()), to_b(b.shape(), y.shape());
  const auto backward = [to_a, to_b](const auto& upstream, auto& gradients) {
    if (gradients.Wanted(0)) gradients.Add(0, to_a(upstream));
    if (gradients.Wanted(1)) gradients.Add(1, to_b(Negated(upstream)));
  };
  return MakeResult("subtract", std::move(y), {a, b}, backward);
}

Variable Multiply(const Variable& a, const Variable& b) {
  const Tensor x = a.value(), z = b.value();
  Tensor y = Compute("multiply", BinaryOp::kMultiply, x, z);
  const Unbroadcast to_a(a.shape(), y.shape()), to_b(b.shape(), y.shape());
  return MakeResult(
      "multiply", std::move(y), {a, b},
      WithGraph(
          [x, z, to_a, to_b](const Tensor& upstream, InputGradients& gradients) {
            if (gradients.Wanted(0)) {
              gradients.Add(0, to_a(Compute("multiply", BinaryOp::kMultiply, upstream, z)));
            }
            if (gradients.Wanted(1)) {
              gradients.Add(1, to_b(Compute("multiply", BinaryOp::kMultiply, upstream, x)));
            }
          },
          [x, z, to_a, to_b](const Variable& upstream, GraphGradients& gradients) {
            if (gradients.Wanted(0)) gradients.Add(0, to_a(upstream * gradients.Input(1, z)));
            if (gradients.Wanted(1)) gradients.Add(1, to_b(upstream * gradients.Input(0, x)));
          }));
}

// d(a/b)/da = 1/b; d(a/b)/db = -(a/b)/b.
Variable Divide(const Variable& a, const Variable& b) {
  const Tensor z = b.value();
  const Tensor y = Compute("divide", BinaryOp::kDivide, a.value(), z);
  const Unbroadcast to_a(a.shape(), y.shape()), to_b(b.shape(), y.shape());
  return MakeResult("divide", y, {a, b},
                    WithGraph(
                        [y, z, to_a, to_b](const Tensor& upstream, InputGradients& gradients) {
                          const Tensor over_b = Compute("divide", BinaryOp::kDivide, upstream, z);
                          if (gradients.Wanted(0)) gradients.Add(0, to_a(over_b));
                          if (!gradients.Wanted(1)) return;
                          gradients.Add(
                              1, to_b(Negated(Compute("divide", BinaryOp::kMultiply, over_b, y))));
                        },
                        [y, z, to_a, to_b](const Variable& upstream, GraphGradients& gradients) {
                          const Variable over_b = upstream / gradients.Input(1, z);
                          if (gradients.Wanted(0)) gradients.Add(0, to_a(over_b));
                          if (gradients.Wanted(1))
                            gradients.Add(1, to_b(-(over_b * gradients.Result(y))));
                        }));
}

Variable Negate(const Variable& x) {
  return MakeResult(
      "negate", Compute(UnaryOp::kNegate, x.value()), {x},
      [](const auto& upstream, auto& gradients) { gradients.Add(0, Negated(upstream)); });
}

Variable Power(const Variable& x, double exponent) {
  const Tensor base = x.value();
  return MakeResult(
      "power", PowerOf(base, exponent), {x},
      WithGraph(
          [base, exponent](const Tensor& upstream, InputGradients& gradients) {
            if (exponent == 0) {
              return gradients.Add(0, Tensor::Zeros(base.shape(), base.dtype()));
            }
            const Tensor slope = Scaled(PowerOf(base, exponent - 1), exponent);
            Tensor dx = gradients.Destination(0);
            Compute(BinaryOp::kMultiply, slope, upstream, dx);
            gradients.Add(0, dx);
          },
          [base, exponent](const Variable& upstream, GraphGradients& gradients) {
            if (exponent == 0) {
              return gradients.Add(0, Variable(Tensor::Zeros(base.shape(), base.dtype())));
            }
            gradients.Add(0, Power(gradients.Input(0, base), exponent - 1) * exponent * upstream);
          }));
}

Variable Exp(const Variable& x) {
  const Tensor y = Compute(UnaryOp::kExp, x.value());
  return MakeResult("exp", y, {x},
                    WithGraph(
                        [y](const Tensor& upstream, InputGradients& gradients) {
                          Tensor dx = gradients.Destination(0);
                          Compute(BinaryOp::kMultiply, upstream, y, dx);
                          gradients.Add(0, dx);
                        },
                        [y](const Variable& upstream, GraphGradients& gradients) {
                          gradients.Add(0, upstream * gradients.Result(y));
                        }));
}

Variable Log(const Variable& x) {
  const Tensor value = x.value();
  return MakeResult("log", Compute(UnaryOp::kLog, value), {x},
                    WithGraph(
                        [value](const Tensor& upstream, InputGradients& gradients) {
                          Tensor dx = gradients.Destination(0);
                          Compute(BinaryOp::kDivide, upstream, value, dx);
                          gradients.Add(0, dx);
                        },
                        [value](const Variable& upstream, GraphGradients& gradients) {
                          gradients.Add(0, upstream / gradients.Input(0, value));
                        }));
}

}  // namespace lockstep::autograd
