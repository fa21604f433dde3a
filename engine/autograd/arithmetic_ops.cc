#include "engine/autograd/arithmetic_ops.h"

#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "engine/autograd/node.h"
#include "engine/autograd/reduction_ops.h"
#include "engine/autograd/shape_ops.h"
#include "engine/autograd/shard_cuts.h"
#include "engine/kernels/elementwise.h"

namespace lockstep::autograd {
namespace {

using kernels::BinaryOp;
using kernels::UnaryOp;

// Whether `row` repeats over the leading axes of `whole`: a bias.
bool IsRowOf(const Shape& row, const Shape& whole) {
  return row.rank() == 1 && whole.rank() >= 1 && whole.dim(-1) == row.dim(0);
}

// `out` has the broadcast shape. May be the memory of an operand of that shape.
void Compute(BinaryOp op, const Tensor& a, const Tensor& b, Tensor out) {
  const Shape& shape = out.shape();
  const int64_t size = out.element_count();
  if (size == 0) return;
  VisitFloating("arithmetic", out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* to = out.data<T>();
    if (a.shape() == shape && b.element_count() == 1) {
      kernels::BinaryScalarRight(op, size, a.data<T>(), *b.data<T>(), to);
    } else if (b.shape() == shape && a.element_count() == 1) {
      kernels::BinaryScalarLeft(op, size, *a.data<T>(), b.data<T>(), to);
    } else if (a.shape() == shape && IsRowOf(b.shape(), shape)) {
      kernels::BinaryRow(op, size / b.dim(0), b.dim(0), a.data<T>(), b.data<T>(), to);
    } else {
      const Tensor whole_a = ExpandTensor(a, shape);
      const Tensor whole_b = ExpandTensor(b, shape);
      kernels::Binary(op, size, whole_a.data<T>(), whole_b.data<T>(), to);
    }
  });
}

Tensor Compute(const char* name, BinaryOp op, const Tensor& a, const Tensor& b) {
  const DType dtype = CommonDType(name, a, b);
  Tensor out = Tensor::Empty(BroadcastShapes(name, a.shape(), b.shape()), dtype);
  Compute(op, a, b, out);
  return out;
}

Tensor Compute(UnaryOp op, const Tensor& x) {
  Tensor out = Tensor::Empty(x.shape(), x.dtype());
  VisitFloating("arithmetic", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::Unary(op, x.element_count(), x.data<T>(), out.data<T>());
  });
  return out;
}

Tensor Scaled(const Tensor& x, double scale) {
  Tensor out = Tensor::Empty(x.shape(), x.dtype());
  Compute(BinaryOp::kMultiply, x, Tensor::Scalar(scale, x.dtype()), out);
  return out;
}

Tensor PowerOf(const Tensor& x, double exponent) {
  Tensor out = Tensor::Empty(x.shape(), x.dtype());
  VisitFloating("power", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::Power(x.element_count(), x.data<T>(), static_cast<T>(exponent), out.data<T>());
  });
  return out;
}

// Brings gradients back to the shape of an operand that was repeated.
class Unbroadcast {
 public:
  // Looks at the shard cuts, so it is made when the operation runs forward.
  Unbroadcast(const Shape& operand, const Shape& result) : operand_(operand) {
    const std::shared_ptr<const std::vector<int64_t>> cuts = ShardCuts::Current();
    if (cuts == nullptr || operand == result) return;
    const bool over_batch =
        result.rank() > 0 && (operand.rank() < result.rank() || operand.dim(0) != result.dim(0));
    if (!over_batch) return;
    if (result.dim(0) == cuts->back()) {
      batch_cuts_ = *cuts;
    } else {
      ShardCuts::MarkUnsupported();
    }
  }

  Tensor operator()(const Tensor& gradient) const {
    if (gradient.shape() == operand_) return gradient;
    return SumToShape(gradient, operand_, batch_cuts_);
  }

 private:
  const Shape operand_;
  std::vector<int64_t> batch_cuts_;
};

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
