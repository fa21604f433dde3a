#include "engine/kernels/activation.h"

#include "engine/kernels/highway_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/activation.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h, which sets what they are compiled for.
#include "engine/kernels/transcendental-inl.h"
#include "engine/kernels/vectors-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

HWY_INLINE FloatVector Number(double x) { return hn::Set(FloatTag(), static_cast<float>(x)); }

HWY_INLINE FloatVector GeluOf(FloatVector x) {
  const FloatVector a = hn::Abs(x);
  return Fma(a, NormalAboveHalfOf(FloatTag(), a), hn::Mul(Number(0.5), x));
}

HWY_INLINE FloatVector GeluGradientOf(FloatVector dy, FloatVector x) {
  const FloatVector slope = GeluSlopeAboveHalfOf(FloatTag(), hn::Abs(x));
  return hn::Mul(dy, hn::Add(Number(0.5), hn::CopySignToAbs(slope, x)));
}

HWY_INLINE FloatVector GeluTanhInnerOf(FloatVector x) {
  const FloatVector slope = Fma(Number(kGeluTanhThird), hn::Mul(x, x), Number(kGeluTanhFirst));
  return TanhOf(FloatTag(), hn::Mul(x, slope));
}

HWY_INLINE FloatVector GeluTanhOf(FloatVector x) {
  const FloatVector half = hn::Mul(Number(0.5), x);
  return Fma(half, GeluTanhInnerOf(x), half);
}

HWY_INLINE FloatVector GeluTanhGradientOf(FloatVector dy, FloatVector x) {
  const FloatVector half = Number(0.5);
  const FloatVector t = GeluTanhInnerOf(x);
  const FloatVector third = hn::Mul(Number(kGeluTanhThird), Number(3));
  const FloatVector slope = Fma(third, hn::Mul(x, x), Number(kGeluTanhFirst));
  const FloatVector steep = hn::Mul(hn::Mul(half, x), Fma(hn::Neg(t), t, Number(1)));
  return hn::Mul(dy, Fma(steep, slope, Fma(half, t, half)));
}

HWY_INLINE FloatVector SiluGradientOf(FloatVector dy, FloatVector x) {
  const FloatVector one = Number(1);
  const FloatVector s = SigmoidOf(FloatTag(), x);
  return hn::Mul(dy, hn::Mul(s, Fma(x, hn::Sub(one, s), one)));
}

// Not Min and Max: what they make of NaN differs between machines.
HWY_INLINE FloatVector Between(FloatVector least, FloatVector most, FloatVector x) {
  const FloatVector lowered = hn::IfThenElse(hn::Gt(x, most), most, x);
  return hn::IfThenElse(hn::Lt(x, least), least, lowered);
}

void ActivateRun(ActivationFunction f, ActivationConstants constants, int64_t size, const float* x,
                 float* y) {
  const FloatTag tag;
  using V = FloatVector;
  const V zero = hn::Zero(tag);
  const V c = Number(constants.c);
  const V d = Number(constants.d);
  switch (f) {
    case ActivationFunction::kGelu:
      return Map(size, x, y, [](V v) HWY_ATTR { return GeluOf(v); });
    case ActivationFunction::kGeluTanh:
      return Map(size, x, y, [](V v) HWY_ATTR { return GeluTanhOf(v); });
    case ActivationFunction::kSilu:
      return Map(size, x, y, [&](V v) HWY_ATTR { return hn::Mul(v, SigmoidOf(tag, v)); });
    case ActivationFunction::kSoftplus:
      return Map(size, x, y, [&](V v) HWY_ATTR {
        const V scaled = hn::Mul(c, v);
        const V soft = hn::Div(Log1pOf(tag, ExpOf(tag, scaled)), c);
        return hn::IfThenElse(hn::Gt(scaled, d), v, soft);
      });
    case ActivationFunction::kLeakyRelu:
      return Map(size, x, y,
                 [&](V v) HWY_ATTR { return hn::IfThenElse(hn::Gt(v, zero), v, hn::Mul(v, c)); });
    case ActivationFunction::kElu:
      return Map(size, x, y, [&](V v) HWY_ATTR {
        return hn::IfThenElse(hn::Gt(v, zero), v, hn::Mul(c, Expm1Of(tag, v)));
      });
    case ActivationFunction::kHardtanh:
    case ActivationFunction::kClamp:
      return Map(size, x, y, [&](V v) HWY_ATTR { return Between(c, d, v); });
  }
}

void ActivateBackwardRun(ActivationFunction f, ActivationConstants constants, int64_t size,
                         const float* dy, const float* x, float* dx) {
  const FloatTag tag;
  using V = FloatVector;
  const V zero = hn::Zero(tag);
  const V c = Number(constants.c);
  const V d = Number(constants.d);
  switch (f) {
    case ActivationFunction::kGelu:
      return Map(size, dy, x, dx, [](V g, V v) HWY_ATTR { return GeluGradientOf(g, v); });
    case ActivationFunction::kGeluTanh:
      return Map(size, dy, x, dx, [](V g, V v) HWY_ATTR { return GeluTanhGradientOf(g, v); });
    case ActivationFunction::kSilu:
      return Map(size, dy, x, dx, [](V g, V v) HWY_ATTR { return SiluGradientOf(g, v); });
    case ActivationFunction::kSoftplus:
      return Map(size, dy, x, dx, [&](V g, V v) HWY_ATTR {
        const V scaled = hn::Mul(c, v);
        return hn::IfThenElse(hn::Gt(scaled, d), g, hn::Mul(g, SigmoidOf(tag, scaled)));
      });
    case ActivationFunction::kLeakyRelu:
      return Map(size, dy, x, dx, [&](V g, V v) HWY_ATTR {
        return hn::IfThenElse(hn::Gt(v, zero), g, hn::Mul(g, c));
      });
    case ActivationFunction::kElu:
      return Map(size, dy, x, dx, [&](V g, V v) HWY_ATTR {
        return hn::IfThenElse(hn::Gt(v, zero), g, hn::Mul(g, hn::Mul(c, ExpOf(tag, v))));
      });
    case ActivationFunction::kHardtanh:
      return Map(size, dy, x, dx, [&](V g, V v) HWY_ATTR {
        return hn::IfThenZeroElse(hn::Or(hn::Le(v, c), hn::Ge(v, d)), g);
      });
    case ActivationFunction::kClamp:
      return Map(size, dy, x, dx, [&](V g, V v) HWY_ATTR {
        return hn::IfThenZeroElse(hn::Or(hn::Lt(v, c), hn::Gt(v, d)), g);
      });
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "engine/kernels/parallel.h"

namespace lockstep::kernels {
HWY_EXPORT(ActivateRun);
HWY_EXPORT(ActivateBackwardRun);

void Activate(ActivationFunction f, ActivationConstants constants, int64_t size, const float* x,
              float* y) {
  ParallelElements(size, [=](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(ActivateRun)(f, constants, end - begin, x + begin, y + begin);
  });
}

void ActivateBackward(ActivationFunction f, ActivationConstants constants, int64_t size,
                      const float* dy, const float* x, float* dx) {
  ParallelElements(size, [=](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(ActivateBackwardRun)
    (f, constants, end - begin, dy + begin, x + begin, dx + begin);
  });
}

}  // namespace lockstep::kernels
#endif  // HWY_ONCE
