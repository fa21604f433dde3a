// Parts of a tensor, and tensors in another order of axes, by strides: what the
// operations of shape_ops.h and slice_ops.h copy.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_STRIDED_TENSORS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_STRIDED_TENSORS_H_

#include <cstdint>

#include "engine/autograd/variable.h"
#include "engine/block_pool.h"
#include "engine/shape.h"
#include "engine/tensor.h"

namespace lockstep::autograd {

// Elements from one index of each axis to the next, row-major.
PooledVector<int64_t> RowMajorStrides(const Shape& shape);

// Some elements of a row-major tensor: that of index (i, j, ...) is its element
// offset + i * strides[0] + j * strides[1] + ...
struct StridedView {
  int64_t offset = 0;
  Shape shape;
  PooledVector<int64_t> strides;
};

// The view's elements as a tensor of their own; any dtype.
Tensor TakeTensor(const Tensor& x, const StridedView& view);
// Writes `x`, of the view's shape, to the view's places in `to`.
void PutTensor(const Tensor& x, const StridedView& view, Tensor to);

// The same with gradients; each is the other's, so they can be differentiated
// any number of times. `operation` names them in the graph and must live forever.
// Requires: places that differ from one another.
Variable TakeView(const char* operation, const Variable& x, const StridedView& view);
// A tensor of `shape` with x at the view's places and `fill` elsewhere.
Variable PutView(const char* operation, const Variable& x, const StridedView& view,
                 const Shape& shape, double fill = 0);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_STRIDED_TENSORS_H_
