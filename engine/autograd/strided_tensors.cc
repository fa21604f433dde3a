#include "engine/autograd/strided_tensors.h"

#include <algorithm>

#include "engine/autograd/node.h"
#include "engine/block_pool.h"
#include "engine/kernels/strided_copy.h"

namespace lockstep::autograd {
namespace {

// Calls visit(T()) with the type of the elements, also for int64.
template <class F>
void VisitElements(const char* operation, DType dtype, const F& visit) {
  if (dtype == DType::kInt64) return visit(int64_t());
  VisitFloating(operation, dtype, visit);
}

// Fills `to` with `fill` but for the view's places, which get x.
void PutInto(const Tensor& x, const StridedView& view, double fill, Tensor to) {
  if (x.element_count() != to.element_count()) {
    VisitElements("put", to.dtype(), [&](auto zero) {
      using T = decltype(zero);
      std::fill(to.data<T>(), to.data<T>() + to.element_count(), static_cast<T>(fill));
    });
  }
  PutTensor(x, view, to);
}

}  // namespace

PooledVector<int64_t> RowMajorStrides(const Shape& shape) {
  PooledVector<int64_t> strides(shape.rank(), 1);
  for (int i = shape.rank() - 2; i >= 0; --i) strides[i] = strides[i + 1] * shape.dim(i + 1);
  return strides;
}

Tensor TakeTensor(const Tensor& x, const StridedView& view) {
  Tensor y = Tensor::Empty(view.shape, x.dtype());
  if (y.element_count() == 0) return y;
  VisitElements("take", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::StridedCopy(view.shape.extents(), x.data<T>() + view.offset, view.strides, y.data<T>(),
                         RowMajorStrides(view.shape));
  });
  return y;
}

void PutTensor(const Tensor& x, const StridedView& view, Tensor to) {
  if (x.element_count() == 0) return;
  VisitElements("put", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::StridedCopy(view.shape.extents(), x.data<T>(), RowMajorStrides(view.shape),
                         to.data<T>() + view.offset, view.strides);
  });
}

Variable TakeView(const char* operation, const Variable& x, const StridedView& view) {
  const Shape shape = x.shape();
  return MakeResult(
      operation, TakeTensor(x.value(), view), {x},
      WithGraph(
          [view](const Tensor& upstream, InputGradients& gradients) {
            Tensor dx = gradients.Destination(0);
            PutInto(upstream, view, 0, dx);
            gradients.Add(0, dx);
          },
          [operation, view, shape](const Variable& upstream, GraphGradients& gradients) {
            gradients.Add(0, PutView(operation, upstream, view, shape));
          }));
}

Variable PutView(const char* operation, const Variable& x, const StridedView& view,
                 const Shape& shape, double fill) {
  Tensor y = Tensor::Empty(shape, x.dtype());
  PutInto(x.value(), view, fill, y);
  return MakeResult(
      operation, std::move(y), {x},
      WithGraph([view](const Tensor& upstream,
                       InputGradients& gradients) { gradients.Add(0, TakeTensor(upstream, view)); },
                [operation, view](const Variable& upstream, GraphGradients& gradients) {
                  gradients.Add(0, TakeView(operation, upstream, view));
                }));
}

}  // namespace lockstep::autograd
