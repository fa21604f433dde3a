#include "engine/autograd/elementwise_tensors.h"

#include "absl/container/inlined_vector.h"
#include "engine/autograd/shape_ops.h"

namespace lockstep::autograd {
namespace {

using kernels::BinaryOp;
using kernels::UnaryOp;

// An axis of the result and how far each operand moves along it: 0 where it repeats.
struct Axis {
  int64_t extent;
  int64_t a;
  int64_t b;
};
using Axes = absl::InlinedVector<Axis, 4>;

// The distance between neighbours of `operand` along each axis of `shape`.
absl::InlinedVector<int64_t, 6> Steps(const Shape& operand, const Shape& shape) {
  absl::InlinedVector<int64_t, 6> steps(shape.rank(), 0);
  int64_t step = 1;
  for (int axis = operand.rank() - 1; axis >= 0; --axis) {
    if (operand.dim(axis) != 1) steps[axis + shape.rank() - operand.rank()] = step;
    step *= operand.dim(axis);
  }
  return steps;
}

// The result's axes, innermost first, of which neighbours that both operands go
// through as through one are made one.
Axes MergedAxes(const Shape& a, const Shape& b, const Shape& shape) {
  const auto a_steps = Steps(a, shape);
  const auto b_steps = Steps(b, shape);
  Axes axes;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    const Axis axis = {shape.dim(i), a_steps[i], b_steps[i]};
    if (axis.extent == 1) continue;
    const bool merges = !axes.empty() && axis.a == axes.back().a * axes.back().extent &&
                        axis.b == axes.back().b * axes.back().extent;
    if (merges) {
      axes.back().extent *= axis.extent;
    } else {
      axes.push_back(axis);
    }
  }
  if (axes.empty()) axes.push_back({1, 1, 1});
  return axes;
}

// One run along the innermost axis.
template <class T>
void ComputeRun(BinaryOp op, const Axis& axis, const T* a, const T* b, T* out) {
  if (axis.b == 0) return kernels::BinaryScalarRight(op, axis.extent, a, *b, out);
  if (axis.a == 0) return kernels::BinaryScalarLeft(op, axis.extent, *a, b, out);
  kernels::Binary(op, axis.extent, a, b, out);
}

template <class T>
void ComputeRuns(BinaryOp op, const Axes& axes, size_t level, const T* a, const T* b, T*& out) {
  const Axis& axis = axes[level];
  if (level == 0) {
    ComputeRun(op, axis, a, b, out);
    out += axis.extent;
    return;
  }
  for (int64_t i = 0; i < axis.extent; ++i) {
    ComputeRuns(op, axes, level - 1, a + i * axis.a, b + i * axis.b, out);
  }
}

template <class T>
void ComputeBroadcast(BinaryOp op, const Tensor& a, const Tensor& b, Tensor out) {
  const Axes axes = MergedAxes(a.shape(), b.shape(), out.shape());
  T* to = out.data<T>();
  const Axis& inner = axes[0];
  if (axes.size() == 2 && inner.a == 1 && axes[1].a == inner.extent) {
    if (inner.b == 1 && axes[1].b == 0) {
      return kernels::BinaryRow(op, axes[1].extent, inner.extent, a.data<T>(), b.data<T>(), to);
    }
    if (inner.b == 0 && axes[1].b == 1) {
      return kernels::BinaryColumn(op, axes[1].extent, inner.extent, a.data<T>(), b.data<T>(), to);
    }
  }
  // Runs shorter than this cost more in calls than copies of the operands.
  constexpr int64_t kShortestRun = 32;
  if (axes.size() == 1 || inner.extent >= kShortestRun) {
    return ComputeRuns(op, axes, axes.size() - 1, a.data<T>(), b.data<T>(), to);
  }
  const Tensor whole_a = ExpandTensor(a, out.shape());
  const Tensor whole_b = ExpandTensor(b, out.shape());
  kernels::Binary(op, out.element_count(), whole_a.data<T>(), whole_b.data<T>(), to);
}

}  // namespace

void Compute(BinaryOp op, const Tensor& a, const Tensor& b, Tensor out) {
  if (out.element_count() == 0) return;
  VisitFloating("arithmetic", out.dtype(),
                [&](auto zero) { ComputeBroadcast<decltype(zero)>(op, a, b, out); });
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

}  // namespace lockstep::autograd
