// Vectors of the canonical exp, log, tanh, sigmoid: operation for operation
// what transcendental.cc does to one number, without its branches.
// Included once per target, by files that include hwy/foreach_target.h.
#if defined(LOCKSTEP_ENGINE_KERNELS_TRANSCENDENTAL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_ENGINE_KERNELS_TRANSCENDENTAL_INL_H_
#undef LOCKSTEP_ENGINE_KERNELS_TRANSCENDENTAL_INL_H_
#else
#define LOCKSTEP_ENGINE_KERNELS_TRANSCENDENTAL_INL_H_
#endif

#include <limits>

#include "engine/kernels/transcendental_coefficients.h"
#include "engine/kernels/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

template <class D, class V, size_t kCount>
HWY_INLINE V PolynomialOf(D d, const float (&coefficients)[kCount], V x) {
  V sum = hn::Set(d, coefficients[0]);
  for (size_t i = 1; i < kCount; ++i) sum = Fma(sum, x, hn::Set(d, coefficients[i]));
  return sum;
}

template <class D, class V>
HWY_INLINE V ExpOf(D d, V x) {
  const hn::RebindToSigned<D> di;
  const V highest = hn::Set(d, kExpHighest);
  const V lowest = hn::Set(d, kExpLowest);
  const V shift = hn::Set(d, kRoundingShift);
  // Not Min and Max: what they make of NaN differs between machines.
  x = hn::IfThenElse(hn::Gt(x, highest), highest, x);
  x = hn::IfThenElse(hn::Lt(x, lowest), lowest, x);
  const V shifted = Fma(x, hn::Set(d, kLog2OfE), shift);
  const V n = hn::Sub(shifted, shift);
  const V one = hn::Set(d, 1.0f);
  const V rest = Fma(n, hn::Set(d, -kLn2High), x);
  const V r = Fma(n, hn::Set(d, -kLn2Low), rest);
  const V lost = Fma(n, hn::Set(d, -kLn2Low), hn::Sub(rest, r));
  const V small = Fma(PolynomialOf(d, kExp, r), hn::Mul(r, r), lost);
  const V sum = hn::Add(one, r);
  const V p = hn::Add(sum, hn::Add(hn::Sub(r, hn::Sub(sum, one)), small));
  const auto exponent = hn::Sub(hn::BitCast(di, shifted), hn::BitCast(di, shift));
  const auto half = hn::ShiftRight<1>(exponent);
  const auto bias = hn::Set(di, 127);
  const V first = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(half, bias)));
  const V second = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(hn::Sub(exponent, half), bias)));
  return hn::Mul(hn::Mul(p, first), second);
}

template <class D, class V>
HWY_INLINE V LogOf(D d, V x) {
  const hn::RebindToSigned<D> di;
  const V zero = hn::Zero(d);
  const V infinity = hn::Set(d, std::numeric_limits<float>::infinity());
  const auto denormal = hn::Lt(x, hn::Set(d, kSmallestNormal));
  const V lifted = hn::IfThenElse(denormal, hn::Mul(x, hn::Set(d, kDenormalLift)), x);
  const auto bits = hn::BitCast(di, lifted);
  const auto exponent = hn::ShiftRight<23>(hn::Sub(bits, hn::Set(di, kSqrtHalfBits)));
  const V mantissa = hn::BitCast(d, hn::Sub(bits, hn::ShiftLeft<23>(exponent)));
  const V e = hn::Sub(hn::ConvertTo(d, exponent),
                      hn::IfThenElseZero(denormal, hn::Set(d, kDenormalExponent)));
  const V f = hn::Sub(mantissa, hn::Set(d, 1.0f));
  const V square = hn::Mul(f, f);
  V y = hn::Mul(hn::Mul(f, square), PolynomialOf(d, kLog, f));
  y = Fma(e, hn::Set(d, kLn2Low), y);
  y = Fma(square, hn::Set(d, -0.5f), y);
  y = Fma(e, hn::Set(d, kLn2High), hn::Add(f, y));
  y = hn::IfThenElse(hn::Eq(x, infinity), x, y);
  y = hn::IfThenElse(hn::Ge(x, zero), y, hn::Set(d, std::numeric_limits<float>::quiet_NaN()));
  return hn::IfThenElse(hn::Eq(x, zero), hn::Neg(infinity), y);
}

template <class D, class V>
HWY_INLINE V TanhOf(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  const V a = hn::Abs(x);
  const V square = hn::Mul(a, a);
  const V small = Fma(hn::Mul(a, square), PolynomialOf(d, kTanh, square), a);
  const V large = hn::Sub(one, hn::Div(hn::Set(d, 2.0f), hn::Add(ExpOf(d, hn::Add(a, a)), one)));
  return hn::CopySign(hn::IfThenElse(hn::Lt(a, hn::Set(d, kTanhSmall)), small, large), x);
}

template <class D, class V>
HWY_INLINE V SigmoidOf(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  const V e = ExpOf(d, hn::Neg(hn::Abs(x)));
  const V numerator = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one);
  const V sum = hn::Add(one, e);
  const V lost = hn::Sub(e, hn::Sub(sum, one));
  const V inverse = hn::Div(one, sum);
  const V quotient = hn::Mul(numerator, inverse);
  const V minus = hn::Neg(quotient);
  const V left = Fma(minus, lost, Fma(minus, sum, numerator));
  return Fma(left, inverse, quotient);
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#endif  // per target
