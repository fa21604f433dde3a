// Elements picked along an axis by index, and added back to where they came from.
// Shapes: x, dx [before, extent, after], cut at the axis; indices, y, dy
// [before, count, after].
// Threads: any thread; shares out `before` over OpenMP's.
// Requires: 0 <= index < extent.
#ifndef LOCKSTEP_ENGINE_KERNELS_GATHER_H_
#define LOCKSTEP_ENGINE_KERNELS_GATHER_H_

#include <cstdint>

namespace lockstep::kernels {

struct GatherExtents {
  int64_t before = 1;
  int64_t extent = 1;
  int64_t after = 1;
  int64_t count = 1;
};

// y[b,j,a] = x[b, indices[b,j,a], a].
void Gather(const GatherExtents& extents, const float* x, const int64_t* indices, float* y);
void Gather(const GatherExtents& extents, const double* x, const int64_t* indices, double* y);

// dx[b,i,a] = the sum of dy[b,j,a] over the j with indices[b,j,a] = i.
// Order: one chain of additions from +0, j ascending.
void ScatterAdd(const GatherExtents& extents, const float* dy, const int64_t* indices, float* dx);
void ScatterAdd(const GatherExtents& extents, const double* dy, const int64_t* indices, double* dx);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_GATHER_H_
