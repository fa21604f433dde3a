// The definition of pooling.h, one window after another. With T = float the
// fast kernels are equal to it in every bit; with T = double it is what
// computes.
#ifndef LOCKSTEP_ENGINE_KERNELS_REFERENCE_POOLING_H_
#define LOCKSTEP_ENGINE_KERNELS_REFERENCE_POOLING_H_

#include <algorithm>
#include <cstdint>

#include "engine/kernels/pooling_shape.h"

namespace lockstep::kernels::reference {

// Calls visit(plane, out index, row window, column window), ascending.
template <class F>
void ForEachWindow(const PoolingShape& shape, const F& visit) {
  int64_t index = 0;
  for (int64_t plane = 0; plane < shape.planes; ++plane) {
    for (int64_t i = 0; i < shape.rows.out; ++i) {
      const PoolingWindow row = shape.rows.Window(i);
      for (int64_t j = 0; j < shape.columns.out; ++j) {
        visit(plane, index++, row, shape.columns.Window(j));
      }
    }
  }
}

// Where the window's greatest element lies in the plane.
template <class T>
int64_t GreatestIndex(const PoolingShape& shape, const T* plane, const PoolingWindow& row,
                      const PoolingWindow& column) {
  int64_t kept = row.begin * shape.columns.in + column.begin;
  for (int64_t r = row.begin; r < row.end; ++r) {
    for (int64_t c = column.begin; c < column.end; ++c) {
      const int64_t index = r * shape.columns.in + c;
      const T value = plane[index];
      if (value > plane[kept] || value != value) kept = index;
    }
  }
  return kept;
}

template <class T>
void MaxPool(const PoolingShape& shape, const T* x, T* y) {
  ForEachWindow(shape, [&](int64_t plane, int64_t index, const PoolingWindow& row,
                           const PoolingWindow& column) {
    const T* from = x + plane * shape.InPlane();
    y[index] = from[GreatestIndex(shape, from, row, column)];
  });
}

template <class T>
void MaxPoolGradient(const PoolingShape& shape, const T* x, const T* dy, T* dx) {
  std::fill(dx, dx + shape.planes * shape.InPlane(), T(0));
  ForEachWindow(shape, [&](int64_t plane, int64_t index, const PoolingWindow& row,
                           const PoolingWindow& column) {
    const int64_t first = plane * shape.InPlane();
    dx[first + GreatestIndex(shape, x + first, row, column)] += dy[index];
  });
}

template <class T>
T WindowSum(const PoolingShape& shape, const T* plane, const PoolingWindow& row,
            const PoolingWindow& column) {
  if (shape.Global()) {
    T lanes[16] = {};
    for (int64_t i = 0; i < shape.InPlane(); ++i) lanes[i % 16] += plane[i];
    for (int width = 8; width > 0; width /= 2) {
      for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
    }
    return lanes[0];
  }
  T sum = T(0);
  for (int64_t r = row.begin; r < row.end; ++r) {
    for (int64_t c = column.begin; c < column.end; ++c) sum += plane[r * shape.columns.in + c];
  }
  return sum;
}

template <class T>
void AveragePool(const PoolingShape& shape, const T* x, T* y) {
  ForEachWindow(shape, [&](int64_t plane, int64_t index, const PoolingWindow& row,
                           const PoolingWindow& column) {
    y[index] = WindowSum(shape, x + plane * shape.InPlane(), row, column) /
               static_cast<T>(shape.Divisor(row, column));
  });
}

template <class T>
void AveragePoolGradient(const PoolingShape& shape, const T* dy, T* dx) {
  std::fill(dx, dx + shape.planes * shape.InPlane(), T(0));
  ForEachWindow(shape, [&](int64_t plane, int64_t index, const PoolingWindow& row,
                           const PoolingWindow& column) {
    const T share = dy[index] / static_cast<T>(shape.Divisor(row, column));
    T* to = dx + plane * shape.InPlane();
    for (int64_t r = row.begin; r < row.end; ++r) {
      for (int64_t c = column.begin; c < column.end; ++c) to[r * shape.columns.in + c] += share;
    }
  });
}

}  // namespace lockstep::kernels::reference

#endif  // LOCKSTEP_ENGINE_KERNELS_REFERENCE_POOLING_H_
