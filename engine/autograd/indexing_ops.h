// Elements picked by index, and indices as vectors. Rows of a table:
// embedding_ops.h.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_INDEXING_OPS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_INDEXING_OPS_H_

#include <cstdint>

#include "engine/autograd/variable.h"

namespace lockstep::autograd {

// The element of x at the same place but for the axis, where it is the index.
// Shapes: indices int64, x's shape but for the axis; result as indices. Aborts
// where they do not fit or an index is not in [0, x.dim(axis)), naming it.
// Order: kernels::Gather, the gradient kernels::ScatterAdd. Shard cuts: axis 0
// is not kept apart.
Variable Gather(const Variable& x, int axis, const Tensor& indices);

// The reverse: zeros of x's shape but for `extent` along the axis, with x's
// elements added where the indices, of x's shape, point. Order, shard cuts as Gather.
Variable ScatterAdd(const Variable& x, int axis, const Tensor& indices, int64_t extent);

// 1 at each index, else +0. Shapes: indices [...] int64, result [..., classes].
// Aborts where an index is not in [0, classes), naming it.
Tensor OneHot(const Tensor& indices, int64_t classes, DType dtype = DType::kFloat32);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_INDEXING_OPS_H_
