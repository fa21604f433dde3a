// What becomes of a gradient's sum before an update rule sees it.
#ifndef LOCKSTEP_ENGINE_KERNELS_GRADIENT_SCALE_H_
#define LOCKSTEP_ENGINE_KERNELS_GRADIENT_SCALE_H_

namespace lockstep::kernels {

// Order: g = sum / batch_size; if limit > 0: g = g > limit ? limit : g, then
// g = g < -limit ? -limit : g (so NaN stays NaN); if factor != 1: g = g * factor.
struct GradientScale {
  float batch_size = 1;  // examples in the sum
  float limit = 0;       // clipping by value; 0: none
  float factor = 1;      // clipping by the global norm
};

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_GRADIENT_SCALE_H_
