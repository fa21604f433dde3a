#include "engine/autograd/arithmetic_ops.h"

#include "engine/autograd/elementwise_tensors.h"
#include "engine/autograd/expand_ops.h"
#include "engine/autograd/node.h"

namespace lockstep::autograd {
namespace {

using kernels::BinaryOp;
using kernels::UnaryOp;

}  // namespace

Variable Add(const Variable& a, const Variable& b) {
  Tensor y = Compute("add", BinaryOp::kAdd, a.value(), b.value());
  const Unbroadcast to_a(a.shape(), y.shape()), to_b(b.shape(), y.shape());
  return MakeResult("add", std::move(y), {a, b},
                    [to_a, to_b](const Tensor& upstream, InputGradients& gradients) {
                      if (gradients.Wanted(0)) gradients.Add(0, to_a(upstream));
                      if (gradients.Wanted(1)) gradients.Add(1, to_b(upstream));
                    });
}

Variable Subtract(const Variable& a, const Variable& b) {
  Tensor y = Compute("subtract", BinaryOp::kSubtract, a.value(), b.value());
  const Unbroadcast to_a(a.shape(), y.shape()), to_b(b.shape(), y.shape());
  return MakeResult("subtract", std::move(y), {a, b},
                    [to_a, to_b](const Tensor& upstream, InputGradients& gradients) {
                      if (gradients.Wanted(0)) gradients.Add(0, to_a(upstream));
                      if (gradients.Wanted(1))
                        gradients.Add(1, to_b(Compute(UnaryOp::kNegate, upstream)));
                    });
}

Variable Multiply(const Variable& a, const Variable& b) {
  const Tensor x = a.value(), z = b.value();
  Tensor y = Compute("multiply", BinaryOp::kMultiply, x, z);
  const Unbroadcast to_a(a.shape(), y.shape()), to_b(b.shape(), y.shape());
  return MakeResult(
      "multiply", std::move(y), {a, b},
      [x, z, to_a, to_b](const Tensor& upstream, InputGradients& gradients) {
        if (gradients.Wanted(0)) {
          gradients.Add(0, to_a(Compute("multiply", BinaryOp::kMultiply, upstream, z)));
        }
        if (gradients.Wanted(1)) {
          gradients.Add(1, to_b(Compute("multiply", BinaryOp::kMultiply, upstream, x)));
        }
      });
}

// d(a/b)/da = 1/b; d(a/b)/db = -(a/b)/b.
Variable Divide(const Variable& a, const Variable& b) {
  const Tensor z = b.value();
  const Tensor y = Compute("divide", BinaryOp::kDivide, a.value(), z);
  const Unbroadcast to_a(a.shape(), y.shape()), to_b(b.shape(), y.shape());
  return MakeResult("divide", y, {a, b},
                    [y, z, to_a, to_b](const Tensor& upstream, InputGradients& gradients) {
                      const Tensor over_b = Compute("divide", BinaryOp::kDivide, upstream, z);
                      if (gradients.Wanted(0)) gradients.Add(0, to_a(over_b));
                      if (!gradients.Wanted(1)) return;
                      const Tensor db = Compute("divide", BinaryOp::kMultiply, over_b, y);
                      gradients.Add(1, to_b(Compute(UnaryOp::kNegate, db)));
                    });
}

Variable Negate(const Variable& x) {
  return MakeResult("negate", Compute(UnaryOp::kNegate, x.value()), {x},
                    [](const Tensor& upstream, InputGradients& gradients) {
                      gradients.Add(0, Compute(UnaryOp::kNegate, upstream));
                    });
}

Variable Power(const Variable& x, double exponent) {
  const Tensor base = x.value();
  return MakeResult("power", PowerOf(base, exponent), {x},
                    [base, exponent](const Tensor& upstream, InputGradients& gradients) {
                      if (exponent == 0) {
                        return gradients.Add(0, Tensor::Zeros(base.shape(), base.dtype()));
                      }
                      const Tensor slope = Scaled(PowerOf(base, exponent - 1), exponent);
                      Tensor dx = gradients.Destination(0);
                      Compute(BinaryOp::kMultiply, slope, upstream, dx);
                      gradients.Add(0, dx);
                    });
}

Variable Exp(const Variable& x) {
  const Tensor y = Compute(UnaryOp::kExp, x.value());
  return MakeResult("exp", y, {x}, [y](const Tensor& upstream, InputGradients& gradients) {
    Tensor dx = gradients.Destination(0);
    Compute(BinaryOp::kMultiply, upstream, y, dx);
    gradients.Add(0, dx);
  });
}

Variable Log(const Variable& x) {
  const Tensor value = x.value();
  return MakeResult("log", Compute(UnaryOp::kLog, value), {x},
                    [value](const Tensor& upstream, InputGradients& gradients) {
                      Tensor dx = gradients.Destination(0);
                      Compute(BinaryOp::kDivide, upstream, value, dx);
                      gradients.Add(0, dx);
                    });
}

}  // namespace lockstep::autograd
