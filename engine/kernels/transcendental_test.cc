#include "engine/kernels/transcendental.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace lockstep::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

float FromBits(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof(x));
  return x;
}

// The distance of `got` from the true value in units of the last place of a
// float32 of that size. libm's float64 stands for the truth: in tests only.
double ErrorInUlp(float got, double truth) {
  int exponent;
  std::frexp(truth, &exponent);
  const double ulp = std::ldexp(1.0, std::max(exponent - 24, -149));
  return std::fabs(static_cast<double>(got) - truth) / ulp;
}

// The worst error over every 997th float32 whose true result is finite in float32.
double WorstError(float (*function)(float), double (*truth)(double)) {
  double worst = 0;
  for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += 997) {
    const float x = FromBits(static_cast<uint32_t>(bits));
    const double want = truth(x);
    if (!(std::fabs(want) < 3.4028234e38)) continue;
    const double error = ErrorInUlp(function(x), want);
    if (!(error <= worst)) worst = error;
  }
  return worst;
}

TEST(TranscendentalTest, ExpIsWithinTwoUlp) {
  EXPECT_LE(WorstError(Exp, [](double x) { return std::exp(x); }), 2.0);
}

TEST(TranscendentalTest, ExpBelowZeroIsWithinTwoUlp) {
  double worst = 0;
  for (int i = 0; i <= 1000003; ++i) {
    const float x = static_cast<float>(-87.0 * i / 1000003);
    worst = std::max(worst, ErrorInUlp(ExpBelowZero(x), std::exp(static_cast<double>(x))));
  }
  EXPECT_LE(worst, 2.0);
  EXPECT_EQ(ExpBelowZero(0.0f), 1.0f);
  EXPECT_EQ(ExpBelowZero(-87.01f), 0.0f);
  EXPECT_EQ(ExpBelowZero(-kInfinity), 0.0f);
  EXPECT_TRUE(std::isnan(ExpBelowZero(kNaN)));
}

TEST(TranscendentalTest, LogIsWithinTwoUlp) {
  EXPECT_LE(WorstError(Log, [](double x) { return std::log(x); }), 2.0);
}

TEST(TranscendentalTest, TanhIsWithinTwoUlp) {
  EXPECT_LE(WorstError(Tanh, [](double x) { return std::tanh(x); }), 2.0);
}

TEST(TranscendentalTest, SigmoidIsWithinTwoUlp) {
  EXPECT_LE(WorstError(Sigmoid, [](double x) { return 1.0 / (1.0 + std::exp(-x)); }), 2.0);
}

// The float64 sine of a float32 is within a few 1e-16 whatever its size.
TEST(TranscendentalTest, SinAndCosAreWithinTwoUlpForEveryFloat32) {
  EXPECT_LE(WorstError(Sin, [](double x) { return std::sin(x); }), 2.0);
  EXPECT_LE(WorstError(Cos, [](double x) { return std::cos(x); }), 2.0);
}

// Where the angle is nearest to a whole number of quarter turns, the reduction
// must keep the most bits: 16367173 * 2^72 is the float32 nearest to one.
TEST(TranscendentalTest, SinAndCosNextToTheirZeros) {
  std::vector<float> angles = {std::ldexp(16367173.0f, 72), std::ldexp(16367173.0f, 72) * 2};
  for (int n = 1; n < 83000; ++n) angles.push_back(static_cast<float>(n * (M_PI / 2)));
  double worst = 0;
  for (float angle : angles) {
    worst = std::max(worst, ErrorInUlp(Sin(angle), std::sin(static_cast<double>(angle))));
    worst = std::max(worst, ErrorInUlp(Cos(angle), std::cos(static_cast<double>(angle))));
  }
  EXPECT_LE(worst, 2.0);
}

TEST(TranscendentalTest, ErfIsWithinTwoUlp) {
  EXPECT_LE(WorstError(Erf, [](double x) { return std::erf(x); }), 2.0);
}

double NormalAboveHalfTruth(double a) { return 0.5 * std::erf(a * M_SQRT1_2); }

// The greatest difference from the truth between 0 and 8, and next to the
// borders between the polynomials, where a rounding chooses one or the other.
double WorstDifference(float (*function)(float), double (*truth)(double)) {
  double worst = 0;
  const auto take = [&](float a) {
    worst = std::max(worst, std::fabs(function(a) - truth(static_cast<double>(a))));
  };
  for (int i = 0; i <= 2000003; ++i) take(static_cast<float>(8.0 * i / 2000003));
  for (int i = 0; i < 8; ++i) {
    for (double step : {0.75, 0.828125}) {
      const float border = static_cast<float>((i + 0.5) * step);
      take(std::nextafter(border, 0.0f));
      take(border);
      take(std::nextafter(border, 9.0f));
    }
  }
  return worst;
}

TEST(TranscendentalTest, NormalAndGeluSlopeAreWithinTheirBounds) {
  EXPECT_LE(WorstDifference(NormalAboveHalf, NormalAboveHalfTruth), 6e-8);
  EXPECT_LE(WorstDifference(GeluSlopeAboveHalf,
                            [](double a) {
                              return NormalAboveHalfTruth(a) +
                                     a * std::exp(-0.5 * a * a) / std::sqrt(2 * M_PI);
                            }),
            6e-8);
}

// So that gelu is 0 or x, and its slope 0 or 1, far from 0.
TEST(TranscendentalTest, SpecialValuesOfNormalAndGeluSlope) {
  for (float (*function)(float) : {NormalAboveHalf, GeluSlopeAboveHalf}) {
    EXPECT_EQ(function(0.0f), 0.0f);
    for (float a : {6.25f, 7.0f, 1e9f, kInfinity}) EXPECT_EQ(function(a), 0.5f);
    EXPECT_TRUE(std::isnan(function(kNaN)));
  }
}

TEST(TranscendentalTest, Expm1AndLog1pAreWithinTwoUlp) {
  EXPECT_LE(WorstError(Expm1, [](double x) { return std::expm1(x); }), 2.0);
  EXPECT_LE(WorstError(Log1p, [](double x) { return std::log1p(x); }), 2.0);
}

TEST(TranscendentalTest, SpecialValuesOfExpm1AndLog1p) {
  EXPECT_TRUE(std::signbit(Expm1(-0.0f)));
  EXPECT_EQ(Expm1(88.7f), Exp(88.7f));
  EXPECT_EQ(Expm1(kInfinity), kInfinity);
  EXPECT_EQ(Expm1(-kInfinity), -1.0f);
  EXPECT_TRUE(std::isnan(Expm1(kNaN)));
  EXPECT_TRUE(std::signbit(Log1p(-0.0f)));
  EXPECT_EQ(Log1p(FromBits(1)), FromBits(1));
  EXPECT_EQ(Log1p(-1.0f), -kInfinity);
  EXPECT_EQ(Log1p(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(Log1p(-1.5f)));
  EXPECT_TRUE(std::isnan(Log1p(kNaN)));
}

TEST(TranscendentalTest, SpecialValuesOfSinCosAndErf) {
  EXPECT_EQ(Sin(0.0f), 0.0f);
  EXPECT_FALSE(std::signbit(Sin(0.0f)));
  EXPECT_TRUE(std::signbit(Sin(-0.0f)));
  EXPECT_EQ(Sin(FromBits(1)), FromBits(1));
  EXPECT_EQ(Cos(-0.0f), 1.0f);
  EXPECT_EQ(Cos(FromBits(1)), 1.0f);
  for (float x : {kInfinity, -kInfinity, kNaN}) {
    EXPECT_TRUE(std::isnan(Sin(x)));
    EXPECT_TRUE(std::isnan(Cos(x)));
  }
  EXPECT_TRUE(std::signbit(Erf(-0.0f)));
  EXPECT_EQ(Erf(FromBits(1)), FromBits(1));
  EXPECT_EQ(Erf(4.0f), 1.0f);
  EXPECT_EQ(Erf(kInfinity), 1.0f);
  EXPECT_EQ(Erf(-kInfinity), -1.0f);
  EXPECT_TRUE(std::isnan(Erf(kNaN)));
}

TEST(TranscendentalTest, SpecialValuesOfExp) {
  EXPECT_EQ(Exp(0.0f), 1.0f);
  EXPECT_EQ(Exp(-0.0f), 1.0f);
  EXPECT_EQ(Exp(-kInfinity), 0.0f);
  EXPECT_FALSE(std::signbit(Exp(-104.1f)));
  EXPECT_EQ(Exp(-104.1f), 0.0f);
  EXPECT_EQ(Exp(-103.5f), FromBits(1));  // the least denormal
  EXPECT_EQ(Exp(88.73f), kInfinity);
  EXPECT_EQ(Exp(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(Exp(kNaN)));
}

TEST(TranscendentalTest, SpecialValuesOfLog) {
  EXPECT_EQ(Log(1.0f), 0.0f);
  EXPECT_EQ(Log(0.0f), -kInfinity);
  EXPECT_EQ(Log(-0.0f), -kInfinity);
  EXPECT_EQ(Log(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(Log(-1.0f)));
  EXPECT_TRUE(std::isnan(Log(-kInfinity)));
  EXPECT_TRUE(std::isnan(Log(kNaN)));
}

TEST(TranscendentalTest, SpecialValuesOfTanhAndSigmoid) {
  EXPECT_TRUE(std::signbit(Tanh(-0.0f)));
  EXPECT_EQ(Tanh(FromBits(1)), FromBits(1));
  EXPECT_EQ(Tanh(kInfinity), 1.0f);
  EXPECT_EQ(Tanh(-kInfinity), -1.0f);
  for (float a : {9.1f, 9.125f, 9.2f, 12.0f, 1e9f}) EXPECT_EQ(Tanh(a), 1.0f);
  EXPECT_TRUE(std::isnan(Tanh(kNaN)));
  EXPECT_EQ(Sigmoid(0.0f), 0.5f);
  EXPECT_EQ(Sigmoid(kInfinity), 1.0f);
  EXPECT_EQ(Sigmoid(-kInfinity), 0.0f);
  EXPECT_GT(Sigmoid(-100.0f), 0.0f);
  EXPECT_TRUE(std::isnan(Sigmoid(kNaN)));
}

TEST(TranscendentalTest, PowerOfWholeMultipliesFromTheLowestBitUp) {
  EXPECT_EQ(PowerOfWhole(0.9, 0), 1.0);
  EXPECT_EQ(PowerOfWhole(0.9, 1), 0.9);
  EXPECT_EQ(PowerOfWhole(0.9, 5), 0.9 * ((0.9 * 0.9) * (0.9 * 0.9)));
  EXPECT_EQ(PowerOfWhole(2.0, 1000), std::ldexp(1.0, 1000));
  EXPECT_EQ(PowerOfWhole(0.999, uint64_t{1} << 62), 0.0);
}

TEST(TranscendentalTest, CosPiIsWithinTwoUlp) {
  const long double pi = 3.14159265358979323846264338327950288L;
  for (int i = 0; i <= 100003; ++i) {
    const double x = i / 100003.0;
    // By the sine of the distance from a half turn's middle, exact near the zero.
    const long double truth = x < 0.25 || x > 0.75 ? cosl(pi * x) : sinl(pi * (0.5L - x));
    int exponent;
    std::frexp(static_cast<double>(truth), &exponent);
    EXPECT_LE(std::fabs(static_cast<double>(CosPi(x) - truth)),
              2.0 * std::ldexp(1.0, exponent - 53))
        << x;
  }
  EXPECT_EQ(CosPi(0.0), 1.0);
  EXPECT_EQ(CosPi(0.5), 0.0);
  EXPECT_EQ(CosPi(1.0), -1.0);
}

TEST(TranscendentalTest, PowersOfPositiveNumbers) {
  for (double base : {1.0, 2.0, 0.3, 10000.0, 500000.0, 1e-9}) {
    for (double exponent : {0.0, 1.0, -1.0, -0.0625, 0.999, -7.5, 3.25}) {
      const double want = std::pow(base, exponent);
      EXPECT_NEAR(PowerOfPositive(base, exponent) / want, 1, 2e-14) << base << "^" << exponent;
    }
  }
  EXPECT_EQ(PowerOfPositive(7, 0), 1.0);
  EXPECT_EQ(PowerOfPositive(1, -3.7), 1.0);
}

}  // namespace
}  // namespace lockstep::kernels
