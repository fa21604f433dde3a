#include "engine/kernels/transcendental.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "engine/kernels/transcendental_coefficients.h"

namespace lockstep::kernels {
namespace {

// Horner's rule, one fma per power.
template <typename T, size_t kCount>
T Polynomial(const T (&coefficients)[kCount], T x) {
  T sum = coefficients[0];
  for (size_t i = 1; i < kCount; ++i) sum = std::fma(sum, x, coefficients[i]);
  return sum;
}

// The same with the coefficients of one of eight polynomials.
template <size_t kCount>
float PolynomialOfEight(const float (&coefficients)[kCount][8], uint32_t column, float x) {
  float sum = coefficients[0][column];
  for (size_t i = 1; i < kCount; ++i) sum = std::fma(sum, x, coefficients[i][column]);
  return sum;
}

uint32_t Bits(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return bits;
}

float FromBits(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof(x));
  return x;
}

// 2^exponent, -126 <= exponent <= 127.
float PowerOfTwo(int32_t exponent) { return FromBits(static_cast<uint32_t>(exponent + 127) << 23); }

// a in units of a step that is whole and its rest, 0 <= a < 7.5 steps.
template <size_t kCount>
float BySteps(const float (&coefficients)[kCount][8], float step, float steps_per_unit, float a) {
  const float shifted = std::fma(a, steps_per_unit, kRoundingShift);
  const float n = shifted - kRoundingShift;
  return PolynomialOfEight(coefficients, Bits(shifted) & 7, std::fma(n, -step, a));
}

// An angle as whole quarter turns (of which the last two bits count) and a rest
// of at most about pi / 4: r, and what rounding took from it.
struct QuarterTurns {
  uint32_t count;
  float r;
  float lost;
};

// 0 <= a <= kLargestHalfPiMultiple: n * kHalfPiHigh and the difference are exact.
QuarterTurns ReduceByParts(float a) {
  const float shifted = std::fma(a, kTwoOverPi, kRoundingShift);
  const float n = shifted - kRoundingShift;
  const float rest = std::fma(-n, kHalfPiHigh, a);
  const float middle = n * kHalfPiMiddle;
  const float middle_lost = std::fma(n, kHalfPiMiddle, -middle);
  const float r = rest - middle;
  const float lost = std::fma(-n, kHalfPiLow, ((rest - r) - middle) - middle_lost);
  return {Bits(shifted) - Bits(kRoundingShift), r, lost};
}

// Any finite a >= 1, in whole numbers: a = m * 2^e, and of the bits of 2 / pi
// only 96 matter to m * 2^e * 2 / pi modulo 4, to 2^-62 (Payne and Hanek, 1983).
QuarterTurns ReduceWhole(float a) {
  // 2 / pi in words of 32 bits, the first of weight 2^0.
  static constexpr uint32_t kTwoOverPiWords[] = {0x00000000, 0xa2f9836e, 0x4e441529,
                                                 0xfc2757d1, 0xf534ddc0, 0xdb629599,
                                                 0x3c439041, 0xfe5163ab, 0xdebbc561};
  const uint32_t bits = Bits(a);
  const int exponent = static_cast<int>(bits >> 23) - 150;
  const uint64_t m = (bits & 0x007fffff) | 0x00800000;
  // The bits of weight 2^(2 - e) and above make multiples of 4.
  const int first = exponent + 30;
  const uint32_t* word = kTwoOverPiWords + first / 32;
  const int shift = first % 32;
  const auto window = [&](int i) {
    const uint64_t pair = (uint64_t{word[i]} << 32) | word[i + 1];
    return (pair << shift) >> 32;
  };
  // In units of 2^-62, modulo 2^64.
  const uint64_t product = ((m * window(0)) << 32) + m * window(1) + ((m * window(2)) >> 32);
  const uint64_t count = (product + (uint64_t{1} << 61)) >> 62;
  const double rest = static_cast<double>(static_cast<int64_t>(product - (count << 62))) *
                      0x1.921fb54442d18p-62;  // pi / 2 * 2^-62
  const float r = static_cast<float>(rest);
  return {static_cast<uint32_t>(count), r, static_cast<float>(rest - r)};
}

// sin(a + offset quarter turns), a finite and not negative.
float SineAfter(uint32_t offset, float a) {
  const QuarterTurns turns = a > kLargestHalfPiMultiple ? ReduceWhole(a) : ReduceByParts(a);
  const uint32_t quadrant = turns.count + offset;
  const float r = turns.r;
  const float square = r * r;
  const float value =
      quadrant & 1 ? std::fma(square, std::fma(square, Polynomial(kCosine, square), -0.5f), 1.0f)
                   : r + std::fma(r * square, Polynomial(kSine, square), turns.lost);
  return quadrant & 2 ? -value : value;
}

}  // namespace

float Exp(float x) {
  if (x != x) return x;
  x = x > kExpHighest ? kExpHighest : x;
  x = x < kExpLowest ? kExpLowest : x;
  const float shifted = std::fma(x, kLog2OfE, kRoundingShift);
  const float n = shifted - kRoundingShift;
  const float rest = std::fma(n, -kLn2High, x);
  const float r = std::fma(n, -kLn2Low, rest);
  // 1 + r + (r^2 P(r) + what r lost): the roundings of r and of 1 + r are made
  // good, which halves the error.
  const float lost = std::fma(n, -kLn2Low, rest - r);
  const float small = std::fma(Polynomial(kExp, r), r * r, lost);
  const float sum = 1.0f + r;
  const float p = sum + ((r - (sum - 1.0f)) + small);
  // 2^n in two factors: the first product is exact, the second rounds once,
  // into a denormal or to infinity where it must.
  const int32_t exponent = static_cast<int32_t>(Bits(shifted) - Bits(kRoundingShift));
  const int32_t half = exponent >> 1;
  return (p * PowerOfTwo(half)) * PowerOfTwo(exponent - half);
}

float ExpBelowZero(float x) {
  if (x != x) return x;
  if (x < kExpBelowZeroLowest) return 0.0f;
  const float shifted = std::fma(x, kLog2OfE, kRoundingShift);
  const float n = shifted - kRoundingShift;
  const float r = std::fma(n, -kLn2Low, std::fma(n, -kLn2High, x));
  const float p = std::fma(std::fma(Polynomial(kExpBelowZero, r), r, 1.0f), r, 1.0f);
  return p * PowerOfTwo(static_cast<int32_t>(Bits(shifted) - Bits(kRoundingShift)));
}

float Log(float x) {
  if (x == 0.0f) return -std::numeric_limits<float>::infinity();
  if (!(x >= 0.0f)) return std::numeric_limits<float>::quiet_NaN();
  if (x == std::numeric_limits<float>::infinity()) return x;
  const bool denormal = x < kSmallestNormal;
  const float lifted = denormal ? x * kDenormalLift : x;
  const int32_t bits = static_cast<int32_t>(Bits(lifted));
  const int32_t exponent = (bits - kSqrtHalfBits) >> 23;
  const float mantissa = FromBits(Bits(lifted) - (static_cast<uint32_t>(exponent) << 23));
  const float e = static_cast<float>(exponent) - (denormal ? kDenormalExponent : 0.0f);
  const float f = mantissa - 1.0f;
  const float square = f * f;
  float y = (f * square) * Polynomial(kLog, f);
  y = std::fma(e, kLn2Low, y);
  y = std::fma(square, -0.5f, y);
  return std::fma(e, kLn2High, f + y);
}

// exp(x) = 2^n (1 + t) with t = r + r^2 P(r), so exp(x) - 1 = 2^n t + (2^n - 1);
// at half that size, since 2^128 is infinite.
float Expm1(float x) {
  if (x != x) return x;
  float clamped = x > kExpHighest ? kExpHighest : x;
  clamped = clamped < kExpm1Lowest ? kExpm1Lowest : clamped;
  const float shifted = std::fma(clamped, kLog2OfE, kRoundingShift);
  const float n = shifted - kRoundingShift;
  const float rest = std::fma(n, -kLn2High, clamped);
  const float r = std::fma(n, -kLn2Low, rest);
  const float lost = std::fma(n, -kLn2Low, rest - r);
  const float t = r + std::fma(Polynomial(kExp, r), r * r, lost);
  const float half = PowerOfTwo(static_cast<int32_t>(Bits(shifted) - Bits(kRoundingShift)) - 1);
  return std::copysign(std::fma(half, t, half - 0.5f) * 2.0f, x);
}

// log(u) for u = 1 + x rounded, and what that rounding took, to first order.
float Log1p(float x) {
  const float u = 1.0f + x;
  const float lost = (x - (u - 1.0f)) / u;
  const float log = Log(u);
  // lost is NaN for x = -1 and x = Inf, whose logarithm is exact.
  return std::copysign(lost == lost ? log + lost : log, x);
}

float Tanh(float x) {
  if (x != x) return x;
  float a = std::fabs(x);
  a = a > kTanhLargest ? kTanhLargest : a;
  const uint32_t column = (Bits(a + kTanhOffset) >> 22) & 7;
  return std::copysign(PolynomialOfEight(kTanh, column, a - kTanhCentres[column]), x);
}

float NormalAboveHalf(float a) {
  if (a != a) return a;
  a = a > kNormalLargest ? kNormalLargest : a;
  return BySteps(kNormal, kNormalStep, kNormalStepsPerUnit, a);
}

float GeluSlopeAboveHalf(float a) {
  if (a != a) return a;
  a = a > kGeluSlopeLargest ? kGeluSlopeLargest : a;
  return BySteps(kGeluSlope, kGeluSlopeStep, kGeluSlopeStepsPerUnit, a);
}

// By e = exp(-|x|), so that neither end overflows or loses its denormals:
// e / (1 + e) or 1 / (1 + e), then one correction by what the quotient and the
// rounding of 1 + e leave over.
float Sigmoid(float x) {
  if (x != x) return x;
  const float e = Exp(-std::fabs(x));
  const float numerator = x < 0.0f ? e : 1.0f;
  const float sum = 1.0f + e;
  const float lost = e - (sum - 1.0f);
  const float inverse = 1.0f / sum;
  const float quotient = numerator * inverse;
  const float left = std::fma(-quotient, lost, std::fma(-quotient, sum, numerator));
  return std::fma(left, inverse, quotient);
}

float Sin(float x) {
  const float a = std::fabs(x);
  if (!(a < std::numeric_limits<float>::infinity())) return std::numeric_limits<float>::quiet_NaN();
  const float sine = SineAfter(0, a);
  return std::signbit(x) ? -sine : sine;
}

float Cos(float x) {
  const float a = std::fabs(x);
  if (!(a < std::numeric_limits<float>::infinity())) return std::numeric_limits<float>::quiet_NaN();
  return SineAfter(1, a);
}

float Erf(float x) {
  if (x != x) return x;
  const float a = std::fabs(x);
  if (a < kErfSmall) return std::copysign(std::fma(a, Polynomial(kErfNear, a * a), a), x);
  if (a > kErfLargest) return std::copysign(1.0f, x);
  return std::copysign(Polynomial(kErfFar, a - kErfMiddle), x);
}

double PowerOfWhole(double base, uint64_t exponent) {
  double product = 1.0;
  for (; exponent != 0; exponent >>= 1) {
    if (exponent & 1) product *= base;
    base *= base;
  }
  return product;
}

double PowerOfPositive(double base, double exponent) {
  // log(base) = e log(2) + 2 artanh(s), s = (m - 1) / (m + 1), base = m 2^e with
  // sqrt(1/2) <= m < sqrt(2): 1 + s^2 / 3 + s^4 / 5 + ...
  static constexpr double kArtanh[] = {1.0 / 21, 1.0 / 19, 1.0 / 17, 1.0 / 15, 1.0 / 13, 1.0 / 11,
                                       1.0 / 9,  1.0 / 7,  1.0 / 5,  1.0 / 3,  1.0};
  // Taylor's coefficients, 1 / k!.
  static constexpr double kExpSeries[] = {1.0 / 87178291200,
                                          1.0 / 6227020800,
                                          1.0 / 479001600,
                                          1.0 / 39916800,
                                          1.0 / 3628800,
                                          1.0 / 362880,
                                          1.0 / 40320,
                                          1.0 / 5040,
                                          1.0 / 720,
                                          1.0 / 120,
                                          1.0 / 24,
                                          1.0 / 6,
                                          1.0 / 2,
                                          1.0,
                                          1.0};
  static constexpr double kLn2 = 0.6931471805599453;
  static constexpr double kSqrtHalf = 0.7071067811865476;
  int e = 0;
  double m = std::frexp(base, &e);  // in [1/2, 1); exact, as ldexp below
  if (m < kSqrtHalf) {
    m *= 2.0;
    --e;
  }
  const double s = (m - 1.0) / (m + 1.0);
  const double log = std::fma(static_cast<double>(e), kLn2, 2.0 * s * Polynomial(kArtanh, s * s));
  const double x = exponent * log;
  const double n = std::floor(x / kLn2 + 0.5);
  const double r = std::fma(n, -kLn2, x);
  return std::ldexp(Polynomial(kExpSeries, r), static_cast<int>(n));
}

double CosPi(double x) {
  // Taylor's coefficients, (-1)^k pi^(2k) / (2k)! and (-1)^k pi^(2k+1) / (2k+1)!:
  // up to a quarter turn the next term is below a tenth of an ulp.
  static constexpr double kCosine[] = {
      -1.3878952462213771e-07, 4.303069587032947e-06, -0.0001046381049248457,
      0.0019295743094039231,   -0.02580689139001406,  0.2353306303588932,
      -1.3352627688545895,     4.0587121264167685,    -4.934802200544679};
  static constexpr double kSine[] = {
      -2.2948428997269873e-08, 7.952054001475513e-07,  -2.1915353447830217e-05,
      0.00046630280576761255,  -0.0073704309457143504, 0.08214588661112823,
      -0.5992645293207921,     2.5501640398773455,     -5.16771278004997};
  static constexpr double kPi = 3.141592653589793;
  static constexpr double kPiRest = 1.2246467991473532e-16;
  const bool past_quarter = x > 0.5;
  const double y = past_quarter ? 1.0 - x : x;
  double value;
  if (y <= 0.25) {
    const double square = y * y;
    value = std::fma(Polynomial(kCosine, square), square, 1.0);
  } else {
    const double z = 0.5 - y;
    const double square = z * z;
    value = std::fma(z, kPi, z * std::fma(Polynomial(kSine, square), square, kPiRest));
  }
  return past_quarter ? -value : value;
}

}  // namespace lockstep::kernels
