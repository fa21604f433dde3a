// What the optimizers' kernels share: the loop over vectors, and a gradient's
// way from its sum.
// Included once per target, by files that include hwy/foreach_target.h.
#if defined(LOCKSTEP_ENGINE_KERNELS_OPTIMIZER_UPDATE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_ENGINE_KERNELS_OPTIMIZER_UPDATE_INL_H_
#undef LOCKSTEP_ENGINE_KERNELS_OPTIMIZER_UPDATE_INL_H_
#else
#define LOCKSTEP_ENGINE_KERNELS_OPTIMIZER_UPDATE_INL_H_
#endif

#include "engine/kernels/gradient_scale.h"
#include "engine/kernels/vectors-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

// Calls update(load, store) for every vector; load(from) and store(v, to) take
// care of the place and of the last, partial vector.
template <class F>
HWY_INLINE void ForEachVector(int64_t size, const F& update) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    update([&](const float* from) HWY_ATTR { return hn::LoadU(d, from + i); },
           [&](FloatVector v, float* to) HWY_ATTR { hn::StoreU(v, d, to + i); });
  }
  if (i == size) return;
  update([&](const float* from) HWY_ATTR { return LoadPartial(d, from + i, size - i); },
         [&](FloatVector v, float* to) HWY_ATTR { StorePartial(v, d, to + i, size - i); });
}

// sum / batch_size, clipped to +-limit; a NaN stays one.
template <class D>
HWY_INLINE hn::Vec<D> Clipped(D d, hn::Vec<D> sum, const GradientScale& scale) {
  hn::Vec<D> g = hn::Div(sum, hn::Set(d, scale.batch_size));
  if (scale.limit > 0.0f) {
    const hn::Vec<D> limit = hn::Set(d, scale.limit);
    g = hn::IfThenElse(hn::Gt(g, limit), limit, g);
    g = hn::IfThenElse(hn::Lt(g, hn::Neg(limit)), hn::Neg(limit), g);
  }
  return g;
}

// GradientOf (gradient_scale.h), with the weight decay's part.
HWY_INLINE FloatVector Gradient(FloatVector sum, FloatVector parameter, const GradientScale& scale,
                                float weight_decay) {
  const FloatTag d;
  FloatVector g = Clipped(d, sum, scale);
  if (scale.factor != 1.0f) g = hn::Mul(g, hn::Set(d, scale.factor));
  return weight_decay != 0.0f ? Fma(hn::Set(d, weight_decay), parameter, g) : g;
}

// The parameter after its decoupled decay.
HWY_INLINE FloatVector Decayed(FloatVector parameter, float decay) {
  return decay != 1.0f ? hn::Mul(parameter, hn::Set(FloatTag(), decay)) : parameter;
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#endif  // per target
