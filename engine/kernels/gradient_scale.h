// What becomes of a gradient's sum before an update rule sees it.
#ifndef LOCKSTEP_ENGINE_KERNELS_GRADIENT_SCALE_H_
#define LOCKSTEP_ENGINE_KERNELS_GRADIENT_SCALE_H_

namespace lockstep::kernels {

// Order: g = sum / batch_size; if limit > 0: g = g > limit ? limit : g, then
// g = g < -limit ? -limit : g (so NaN stays NaN); if factor != 1: g = g * factor.
template <class T>
struct GradientScaleOf {
  T batch_size = 1;  // examples in the sum
  T limit = 0;       // clipping by value; 0: none
  T factor = 1;      // clipping by the global norm
};
using GradientScale = GradientScaleOf<float>;

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_GRADIENT_SCALE_H_
