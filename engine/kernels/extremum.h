// Greatest and least elements along an axis, and where they are.
// Shapes: x is [before, extent, after], cut at the axis; results [before, after].
// Order: the first element that no later one exceeds; a NaN exceeds everything,
// so the first NaN wins. Requires: extent > 0.
#ifndef LOCKSTEP_ENGINE_KERNELS_EXTREMUM_H_
#define LOCKSTEP_ENGINE_KERNELS_EXTREMUM_H_

#include <cstdint>

namespace lockstep::kernels {

enum class ExtremumOp { kMaximum, kMinimum };

// values[b,a] = x[b,i,a] with i = indices[b,a].
void Extremum(ExtremumOp op, int64_t before, int64_t extent, int64_t after, const float* x,
              float* values, int64_t* indices);
void Extremum(ExtremumOp op, int64_t before, int64_t extent, int64_t after, const double* x,
              double* values, int64_t* indices);

// The gradient: dx[b,i,a] = i == indices[b,a] ? dy[b,a] : +0.
void ExtremumBackward(int64_t before, int64_t extent, int64_t after, const float* dy,
                      const int64_t* indices, float* dx);
void ExtremumBackward(int64_t before, int64_t extent, int64_t after, const double* dy,
                      const int64_t* indices, double* dx);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_EXTREMUM_H_
