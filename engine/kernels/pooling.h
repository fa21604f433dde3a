// Two-dimensional pooling and its gradients. One-dimensional: one row.
//
// Shapes: x and dx [planes, rows.in, columns.in], y and dy [planes, rows.out,
// columns.out]. Padding holds no elements.
// Threads: any thread; splits its work over OpenMP's.
#ifndef LOCKSTEP_ENGINE_KERNELS_POOLING_H_
#define LOCKSTEP_ENGINE_KERNELS_POOLING_H_

#include "engine/kernels/pooling_shape.h"

namespace lockstep::kernels {

// y = the greatest element of the window. Order: row, column ascending; an
// element replaces the one kept if it is greater or NaN. So the first of equal
// ones wins, and NaN wins over all, as in PyTorch.
void MaxPool(const PoolingShape& shape, const float* x, float* y);

// dx: what MaxPool kept gets the window's dy. Order, for each element: +0, then
// the dy of the windows that kept it, ascending. The choice is made again from
// x: that costs less than remembering it.
void MaxPoolGradient(const PoolingShape& shape, const float* x, const float* dy, float* dx);

// y = sum / divisor. Order: one chain of additions from +0, row, column
// ascending; for a single window of the whole plane as SumRows (reduce.h).
void AveragePool(const PoolingShape& shape, const float* x, float* y);

// Order, for each element: +0, then dy / divisor of the windows with it,
// ascending.
void AveragePoolGradient(const PoolingShape& shape, const float* dy, float* dx);

// The same in float64, by plain loops.
void MaxPool(const PoolingShape& shape, const double* x, double* y);
void MaxPoolGradient(const PoolingShape& shape, const double* x, const double* dy, double* dx);
void AveragePool(const PoolingShape& shape, const double* x, double* y);
void AveragePoolGradient(const PoolingShape& shape, const double* dy, double* dx);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_POOLING_H_
