// Vectors of the canonical functions: operation for operation
// what transcendental.cc does to one number, without its branches.
// Included once per target, by files that include hwy/foreach_target.h.
#if defined(LOCKSTEP_ENGINE_KERNELS_TRANSCENDENTAL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_ENGINE_KERNELS_TRANSCENDENTAL_INL_H_
#undef LOCKSTEP_ENGINE_KERNELS_TRANSCENDENTAL_INL_H_
#else
#define LOCKSTEP_ENGINE_KERNELS_TRANSCENDENTAL_INL_H_
#endif

#include <limits>

#include "engine/kernels/transcendental.h"
#include "engine/kernels/transcendental_coefficients.h"
#include "engine/kernels/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

// Horner's rule. By recursion: compilers leave a loop of so many steps a loop,
// and the steps are few instructions.
template <size_t kFirst, class D, class V, size_t kCount>
HWY_INLINE V HornerSteps(D d, const float (&coefficients)[kCount], V x, V sum) {
  if constexpr (kFirst < kCount) {
    const V next = Fma(sum, x, hn::Set(d, coefficients[kFirst]));
    return HornerSteps<kFirst + 1>(d, coefficients, x, next);
  } else {
    return sum;
  }
}

template <class D, class V, size_t kCount>
HWY_INLINE V PolynomialOf(D d, const float (&coefficients)[kCount], V x) {
  return HornerSteps<1>(d, coefficients, x, hn::Set(d, coefficients[0]));
}

#if HWY_TARGET == HWY_AVX3
#define LOCKSTEP_AVX512 1
#else
#define LOCKSTEP_AVX512 0
#endif

// x, but `limit` where it is above, or below; NaN stays. Highway's Min and Max
// make different things of NaN on different machines; x86's give the second
// operand, in one step.
template <class D, class V>
HWY_INLINE V AtMost(D d, float limit, V x) {
  const V bound = hn::Set(d, limit);
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
  return hn::Min(bound, x);
#else
  return hn::IfThenElse(hn::Gt(x, bound), bound, x);
#endif
}
template <class D, class V>
HWY_INLINE V AtLeast(D d, float limit, V x) {
  const V bound = hn::Set(d, limit);
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
  return hn::Max(bound, x);
#else
  return hn::IfThenElse(hn::Lt(x, bound), bound, x);
#endif
}

// p * 2^n, rounded once; n whole, shifted = n + kRoundingShift, |n| <= 152.
template <class D, class V>
HWY_INLINE V TimesPowerOfTwo(D d, V p, V n, V shifted) {
#if LOCKSTEP_AVX512
  if constexpr (sizeof(V) == 64) return V{_mm512_scalef_ps(p.raw, n.raw)};
#endif
  // In two factors: the first product is exact.
  (void)n;
  const hn::RebindToSigned<D> di;
  const auto exponent =
      hn::Sub(hn::BitCast(di, shifted), hn::BitCast(di, hn::Set(d, kRoundingShift)));
  const auto half = hn::ShiftRight<1>(exponent);
  const auto bias = hn::Set(di, 127);
  const V first = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(half, bias)));
  const V second = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(hn::Sub(exponent, half), bias)));
  return hn::Mul(hn::Mul(p, first), second);
}

// The same where both it and 2^n are normal numbers; not where p is NaN.
template <class D, class V>
HWY_INLINE V TimesNormalPowerOfTwo(D d, V p, V n, V shifted) {
#if LOCKSTEP_AVX512
  if constexpr (sizeof(V) == 64) return V{_mm512_scalef_ps(p.raw, n.raw)};
#endif
  (void)n;
  const hn::RebindToSigned<D> di;
  const auto one = hn::BitCast(di, hn::Set(d, 1.0f));
  // The shift's own low bits are 0.
  const auto power = hn::Add(hn::ShiftLeft<23>(hn::BitCast(di, shifted)), one);
  return hn::Mul(p, hn::BitCast(d, power));
}

// kAtMostZero: x is not above 0, so that nothing is above the highest.
template <bool kAtMostZero = false, class D, class V>
HWY_INLINE V ExpOf(D d, V x) {
  const V shift = hn::Set(d, kRoundingShift);
  if constexpr (!kAtMostZero) x = AtMost(d, kExpHighest, x);
  x = AtLeast(d, kExpLowest, x);
  const V shifted = Fma(x, hn::Set(d, kLog2OfE), shift);
  const V n = hn::Sub(shifted, shift);
  const V one = hn::Set(d, 1.0f);
  const V rest = Fma(n, hn::Set(d, -kLn2High), x);
  const V r = Fma(n, hn::Set(d, -kLn2Low), rest);
  const V lost = Fma(n, hn::Set(d, -kLn2Low), hn::Sub(rest, r));
  const V small = Fma(PolynomialOf(d, kExp, r), hn::Mul(r, r), lost);
  const V sum = hn::Add(one, r);
  const V p = hn::Add(sum, hn::Add(hn::Sub(r, hn::Sub(sum, one)), small));
  return TimesPowerOfTwo(d, p, n, shifted);
}

template <class D, class V>
HWY_INLINE V ExpBelowZeroOf(D d, V x) {
  const V shift = hn::Set(d, kRoundingShift);
  const V one = hn::Set(d, 1.0f);
  const V shifted = Fma(x, hn::Set(d, kLog2OfE), shift);
  const V n = hn::Sub(shifted, shift);
  const V r = Fma(n, hn::Set(d, -kLn2Low), Fma(n, hn::Set(d, -kLn2High), x));
  const V p = Fma(Fma(PolynomialOf(d, kExpBelowZero, r), r, one), r, one);
  const V value = TimesNormalPowerOfTwo(d, p, n, shifted);
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, kExpBelowZeroLowest)), value);
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
HWY_INLINE V Expm1Of(D d, V x) {
  const hn::RebindToSigned<D> di;
  const V shift = hn::Set(d, kRoundingShift);
  const V clamped = AtLeast(d, kExpm1Lowest, AtMost(d, kExpHighest, x));
  const V shifted = Fma(clamped, hn::Set(d, kLog2OfE), shift);
  const V n = hn::Sub(shifted, shift);
  const V rest = Fma(n, hn::Set(d, -kLn2High), clamped);
  const V r = Fma(n, hn::Set(d, -kLn2Low), rest);
  const V lost = Fma(n, hn::Set(d, -kLn2Low), hn::Sub(rest, r));
  const V t = hn::Add(r, Fma(PolynomialOf(d, kExp, r), hn::Mul(r, r), lost));
  const auto exponent = hn::Sub(hn::BitCast(di, shifted), hn::BitCast(di, shift));
  const V half = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(exponent, hn::Set(di, 126))));
  const V value = Fma(half, t, hn::Sub(half, hn::Set(d, 0.5f)));
  return hn::CopySign(hn::Add(value, value), x);
}

template <class D, class V>
HWY_INLINE V Log1pOf(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  const V u = hn::Add(one, x);
  const V lost = hn::Div(hn::Sub(x, hn::Sub(u, one)), u);
  const V log = LogOf(d, u);
  return hn::CopySign(hn::IfThenElse(hn::IsNaN(lost), log, hn::Add(log, lost)), x);
}

// Each lane's own of eight numbers, by the last three bits of its index.
template <class D, class VI>
HWY_INLINE hn::Vec<D> OfEight(D d, const float (&numbers)[8], VI index) {
#if LOCKSTEP_AVX512
  if constexpr (sizeof(index) == 64) {
    // The permutation takes four bits.
    const hn::CappedTag<float, 8> d8;
    const auto eight = hn::LoadU(d8, numbers);
    return hn::TableLookupLanes(hn::Combine(d, eight, eight), hn::Indices512<float>{index.raw});
  }
#elif HWY_TARGET == HWY_AVX2
  if constexpr (sizeof(index) == 32) {
    return hn::TableLookupLanes(hn::LoadU(d, numbers), hn::Indices256<float>{index.raw});
  }
#endif
  const hn::RebindToSigned<D> di;
  return hn::GatherIndex(d, numbers, hn::And(index, hn::Set(di, 7)));
}

// Horner's rule with each lane's own of eight polynomials.
template <size_t kFirst = 1, class D, class VI, class V, size_t kCount>
HWY_INLINE V HornerStepsOfEight(D d, const float (&coefficients)[kCount][8], VI index, V x, V sum) {
  if constexpr (kFirst < kCount) {
    const V next = Fma(sum, x, OfEight(d, coefficients[kFirst], index));
    return HornerStepsOfEight<kFirst + 1>(d, coefficients, index, x, next);
  } else {
    return sum;
  }
}
template <class D, class VI, class V, size_t kCount>
HWY_INLINE V PolynomialOfEight(D d, const float (&coefficients)[kCount][8], VI index, V x) {
  return HornerStepsOfEight(d, coefficients, index, x, OfEight(d, coefficients[0], index));
}

template <class D, class V, size_t kCount>
HWY_INLINE V BySteps(D d, const float (&coefficients)[kCount][8], float step, float steps_per_unit,
                     V a) {
  const hn::RebindToSigned<D> di;
  const V shift = hn::Set(d, kRoundingShift);
  const V shifted = Fma(a, hn::Set(d, steps_per_unit), shift);
  const V rest = Fma(hn::Sub(shifted, shift), hn::Set(d, -step), a);
  return PolynomialOfEight(d, coefficients, hn::BitCast(di, shifted), rest);
}

template <class D, class V>
HWY_INLINE V NormalAboveHalfOf(D d, V a) {
  return BySteps(d, kNormal, kNormalStep, kNormalStepsPerUnit, AtMost(d, kNormalLargest, a));
}

template <class D, class V>
HWY_INLINE V GeluSlopeAboveHalfOf(D d, V a) {
  return BySteps(d, kGeluSlope, kGeluSlopeStep, kGeluSlopeStepsPerUnit,
                 AtMost(d, kGeluSlopeLargest, a));
}

template <class D, class V>
HWY_INLINE V TanhOf(D d, V x) {
  const hn::RebindToSigned<D> di;
  const V a = AtMost(d, kTanhLargest, hn::Abs(x));
  const auto index = hn::ShiftRight<22>(hn::BitCast(di, hn::Add(a, hn::Set(d, kTanhOffset))));
  const V rest = hn::Sub(a, OfEight(d, kTanhCentres, index));
  return hn::CopySign(PolynomialOfEight(d, kTanh, index, rest), x);
}

template <class D, class V>
HWY_INLINE V SigmoidOf(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  const V e = ExpOf<true>(d, hn::Neg(hn::Abs(x)));
  const V numerator = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one);
  const V sum = hn::Add(one, e);
  const V lost = hn::Sub(e, hn::Sub(sum, one));
  const V inverse = hn::Div(one, sum);
  const V quotient = hn::Mul(numerator, inverse);
  const V minus = hn::Neg(quotient);
  const V left = Fma(minus, lost, Fma(minus, sum, numerator));
  return Fma(left, inverse, quotient);
}

// f of one lane after another: for arguments that are rare and costly.
template <class D, class V>
HWY_NOINLINE V LaneByLane(D d, V x, float (*f)(float)) {
  HWY_ALIGN float lanes[HWY_MAX_BYTES / sizeof(float)];
  hn::Store(x, d, lanes);
  for (size_t i = 0; i < hn::Lanes(d); ++i) lanes[i] = f(lanes[i]);
  return hn::Load(d, lanes);
}

// sin(a + kOffset quarter turns), 0 <= a <= kLargestHalfPiMultiple.
template <int kOffset, class D, class V>
HWY_INLINE V SineAfterOf(D d, V a) {
  const hn::RebindToSigned<D> di;
  const V shift = hn::Set(d, kRoundingShift);
  const V shifted = Fma(a, hn::Set(d, kTwoOverPi), shift);
  const V n = hn::Sub(shifted, shift);
  const V minus = hn::Neg(n);
  const V rest = Fma(minus, hn::Set(d, kHalfPiHigh), a);
  const V middle = hn::Mul(n, hn::Set(d, kHalfPiMiddle));
  const V middle_lost = Fma(n, hn::Set(d, kHalfPiMiddle), hn::Neg(middle));
  const V r = hn::Sub(rest, middle);
  const V lost =
      Fma(minus, hn::Set(d, kHalfPiLow), hn::Sub(hn::Sub(hn::Sub(rest, r), middle), middle_lost));
  const V square = hn::Mul(r, r);
  const V cosine = Fma(square, Fma(square, PolynomialOf(d, kCosine, square), hn::Set(d, -0.5f)),
                       hn::Set(d, 1.0f));
  const V sine = hn::Add(r, Fma(hn::Mul(r, square), PolynomialOf(d, kSine, square), lost));
  // The count's last two bits; kRoundingShift's own are 0.
  const auto quadrant = hn::Add(hn::BitCast(di, shifted), hn::Set(di, kOffset));
  const auto odd = hn::RebindMask(d, hn::TestBit(quadrant, hn::Set(di, 1)));
  const auto sign = hn::ShiftLeft<30>(hn::And(quadrant, hn::Set(di, 2)));
  return hn::Xor(hn::IfThenElse(odd, cosine, sine), hn::BitCast(d, sign));
}

template <class D, class V>
HWY_INLINE V SinOf(D d, V x) {
  const V a = hn::Abs(x);
  if (HWY_UNLIKELY(!hn::AllFalse(d, hn::Gt(a, hn::Set(d, kLargestHalfPiMultiple))))) {
    return LaneByLane(d, x, Sin);
  }
  return hn::Xor(SineAfterOf<0>(d, a), hn::And(x, hn::SignBit(d)));
}

template <class D, class V>
HWY_INLINE V CosOf(D d, V x) {
  const V a = hn::Abs(x);
  if (HWY_UNLIKELY(!hn::AllFalse(d, hn::Gt(a, hn::Set(d, kLargestHalfPiMultiple))))) {
    return LaneByLane(d, x, Cos);
  }
  return SineAfterOf<1>(d, a);
}

template <class D, class V>
HWY_INLINE V ErfOf(D d, V x) {
  const V a = hn::Abs(x);
  const V near = Fma(a, PolynomialOf(d, kErfNear, hn::Mul(a, a)), a);
  const V middle = PolynomialOf(d, kErfFar, hn::Sub(a, hn::Set(d, kErfMiddle)));
  const V far = hn::IfThenElse(hn::Gt(a, hn::Set(d, kErfLargest)), hn::Set(d, 1.0f), middle);
  return hn::CopySign(hn::IfThenElse(hn::Lt(a, hn::Set(d, kErfSmall)), near, far), x);
}

#undef LOCKSTEP_AVX512

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#endif  // per target
