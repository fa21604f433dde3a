// extremum.h on float64: the scalar definition itself.
#include "engine/kernels/reference/extremum.h"

namespace lockstep::kernels {

void Extremum(ExtremumOp op, int64_t before, int64_t extent, int64_t after, const double* x,
              double* values, int64_t* indices) {
  reference::Extremum(op, before, extent, after, x, values, indices);
}

void ExtremumBackward(int64_t before, int64_t extent, int64_t after, const double* dy,
                      const int64_t* indices, double* dx) {
  reference::ExtremumBackward(before, extent, after, dy, indices, dx);
}

}  // namespace lockstep::kernels
