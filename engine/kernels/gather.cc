#include "engine/kernels/gather.h"

#include <algorithm>

#include "engine/kernels/parallel.h"

namespace lockstep::kernels {
namespace {

template <class T>
void GatherRows(const GatherExtents& extents, const T* x, const int64_t* indices, T* y) {
  const auto [before, extent, after, count] = extents;
  const int64_t rows = before * count;
  ParallelRows(rows, after,
               [=, extent = extent, after = after, count = count](int64_t begin, int64_t end) {
                 for (int64_t row = begin; row < end; ++row) {
                   const T* from = x + row / count * extent * after;
                   for (int64_t a = 0; a < after; ++a) {
                     y[row * after + a] = from[indices[row * after + a] * after + a];
                   }
                 }
               });
}

template <class T>
void AddRows(const GatherExtents& extents, const T* dy, const int64_t* indices, T* dx) {
  const auto [before, extent, after, count] = extents;
  ParallelRows(before, (extent + count) * after,
               [=, extent = extent, after = after, count = count](int64_t begin, int64_t end) {
                 std::fill(dx + begin * extent * after, dx + end * extent * after, T{0});
                 for (int64_t b = begin; b < end; ++b) {
                   T* to = dx + b * extent * after;
                   for (int64_t at = b * count * after; at < (b + 1) * count * after;) {
                     for (int64_t a = 0; a < after; ++a, ++at) {
                       to[indices[at] * after + a] += dy[at];
                     }
                   }
                 }
               });
}

}  // namespace

void Gather(const GatherExtents& extents, const float* x, const int64_t* indices, float* y) {
  GatherRows(extents, x, indices, y);
}
void Gather(const GatherExtents& extents, const double* x, const int64_t* indices, double* y) {
  GatherRows(extents, x, indices, y);
}
void ScatterAdd(const GatherExtents& extents, const float* dy, const int64_t* indices, float* dx) {
  AddRows(extents, dy, indices, dx);
}
void ScatterAdd(const GatherExtents& extents, const double* dy, const int64_t* indices,
                double* dx) {
  AddRows(extents, dy, indices, dx);
}

}  // namespace lockstep::kernels
