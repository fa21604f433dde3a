#include "engine/autograd/comparison_ops.h"

#include "engine/autograd/elementwise_tensors.h"
#include "engine/autograd/expand_ops.h"
#include "engine/autograd/node.h"
#include "engine/autograd/shape_ops.h"

namespace lockstep::autograd {
namespace {

using kernels::BinaryOp;

Variable Compare(const char* name, BinaryOp op, const Variable& a, const Variable& b) {
  return Variable(Compute(name, op, a.value(), b.value()));
}

// `x` repeated to `shape`, unless it is one number, which the kernel repeats.
Tensor ExpandUnlessNumber(const Tensor& x, const Shape& shape) {
  return x.element_count() == 1 ? x : ExpandTensor(x, shape);
}

}  // namespace

Tensor SelectTensor(const char* operation, const Tensor& condition, const Tensor& a,
                    const Tensor& b) {
  const DType dtype = CommonDType(operation, a, b);
  CommonDType(operation, condition, a);
  const Shape shape = BroadcastShapes(operation, condition.shape(),
                                      BroadcastShapes(operation, a.shape(), b.shape()));
  Tensor out = Tensor::Empty(shape, dtype);
  if (out.element_count() == 0) return out;
  const Tensor whole_condition = ExpandTensor(condition, shape);
  const Tensor from_a = ExpandUnlessNumber(a, shape);
  const Tensor from_b = ExpandUnlessNumber(b, shape);
  VisitFloating(operation, dtype, [&](auto zero) {
    using T = decltype(zero);
    kernels::Select(out.element_count(), whole_condition.data<T>(), from_a.data<T>(),
                    from_a.element_count() == 1, from_b.data<T>(), from_b.element_count() == 1,
                    out.data<T>());
  });
  return out;
}

Variable Equal(const Variable& a, const Variable& b) {
  return Compare("equal", BinaryOp::kEqual, a, b);
}
Variable NotEqual(const Variable& a, const Variable& b) {
  return Compare("not_equal", BinaryOp::kNotEqual, a, b);
}
Variable Less(const Variable& a, const Variable& b) {
  return Compare("less", BinaryOp::kLess, a, b);
}
Variable LessEqual(const Variable& a, const Variable& b) {
  return Compare("less_equal", BinaryOp::kLessEqual, a, b);
}
Variable Greater(const Variable& a, const Variable& b) {
  return Compare("greater", BinaryOp::kGreater, a, b);
}
Variable GreaterEqual(const Variable& a, const Variable& b) {
  return Compare("greater_equal", BinaryOp::kGreaterEqual, a, b);
}

Variable Where(const Variable& condition, const Variable& a, const Variable& b) {
  const Tensor chosen = condition.value();
  Tensor y = SelectTensor("where", chosen, a.value(), b.value());
  const Unbroadcast to_a(a.shape(), y.shape()), to_b(b.shape(), y.shape());
  return MakeResult("where", std::move(y), {a, b},
                    WithGraph(
                        [chosen, to_a, to_b](const Tensor& upstream, InputGradients& gradients) {
                          const Tensor zero = Tensor::Scalar(0, upstream.dtype());
                          if (gradients.Wanted(0)) {
                            gradients.Add(0, to_a(SelectTensor("where", chosen, upstream, zero)));
                          }
                          if (gradients.Wanted(1)) {
                            gradients.Add(1, to_b(SelectTensor("where", chosen, zero, upstream)));
                          }
                        },
                        [chosen, to_a, to_b](const Variable& upstream, GraphGradients& gradients) {
                          const Variable mask(chosen), zero(Tensor::Scalar(0, upstream.dtype()));
                          if (gradients.Wanted(0))
                            gradients.Add(0, to_a(Where(mask, upstream, zero)));
                          if (gradients.Wanted(1))
                            gradients.Add(1, to_b(Where(mask, zero, upstream)));
                        }));
}

Variable MaskedFill(const Variable& x, const Variable& mask, double value) {
  return Where(mask, Variable(Tensor::Scalar(value, x.dtype())), x);
}

}  // namespace lockstep::autograd
