#include "engine/nn/initializers.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/nn/module.h"
#include "engine/philox.h"
#include "gtest/gtest.h"

namespace lockstep::nn {
namespace {

using autograd::Variable;

constexpr InitialValueKey kKey = {42, 3};

struct Moments {
  double mean = 0;
  double deviation = 0;
  double least = 0;
  double most = 0;
};

Moments MomentsOf(const Variable& parameter) {
  const auto values = parameter.value().span<float>();
  Moments moments;
  double squares = 0;
  moments.least = moments.most = values[0];
  for (float value : values) {
    moments.mean += value;
    squares += static_cast<double>(value) * value;
    moments.least = std::min<double>(moments.least, value);
    moments.most = std::max<double>(moments.most, value);
  }
  moments.mean /= static_cast<double>(values.size());
  moments.deviation =
      std::sqrt(squares / static_cast<double>(values.size()) - moments.mean * moments.mean);
  return moments;
}

TEST(InitializersTest, ConstantAllocatesAndFills) {
  const Variable parameter = MakeParameter({2, 2});
  InitializeConstant(0.5f, parameter);
  EXPECT_EQ(parameter.value().ToString(), "tensor([[0.5, 0.5], [0.5, 0.5]])");
}

TEST(InitializersTest, NormalIsItsFormula) {
  const Variable parameter = MakeParameter({5});
  InitializeNormal(kKey, 2, 0.25f, parameter);
  for (uint64_t e = 0; e < 5; ++e) {
    const auto word = [&](uint64_t i) {
      return RandomWord(42, RandomStream::kInitialValues, 3, 0, i);
    };
    const double u = ((word(2 * e) >> 8) + 1) / 16777216.0;
    const double v = (word(2 * e + 1) >> 8) / 16777216.0;
    const double z = std::sqrt(-2 * std::log(u)) * std::cos(2 * std::acos(-1.0) * v);
    EXPECT_NEAR(parameter.value().data<float>()[e], z * 0.25 + 2, 1e-6) << e;
  }
}

// The bits of every machine: a change here changes every trained model.
TEST(InitializersTest, NormalHasTheseBits) {
  const Variable parameter = MakeParameter({4});
  InitializeNormal(kKey, 0, 1, parameter);
  const float want[] = {-0x1.9ca8ep-2, 0x1.429a1ep-2, -0x1.8df326p-1, -0x1.2c4c4ap-1};
  for (int e = 0; e < 4; ++e) {
    const float got = parameter.value().data<float>()[e];
    EXPECT_EQ(got, want[e]) << e << std::hexfloat << ": " << double{got};
  }
}

TEST(InitializersTest, NormalHasItsMoments) {
  const Variable parameter = MakeParameter({200000});
  InitializeNormal(kKey, 0.5f, 2, parameter);
  const Moments moments = MomentsOf(parameter);
  EXPECT_NEAR(moments.mean, 0.5, 0.02);
  EXPECT_NEAR(moments.deviation, 2, 0.02);
  EXPECT_LT(moments.least, 0.5 - 3.5 * 2);
  EXPECT_GT(moments.most, 0.5 + 3.5 * 2);
}

TEST(InitializersTest, TruncatedNormalStaysWithinItsBounds) {
  const Variable parameter = MakeParameter({100000});
  InitializeTruncatedNormal(kKey, 0, 1, -2, 2, parameter);
  const Moments moments = MomentsOf(parameter);
  EXPECT_NEAR(moments.mean, 0, 0.01);
  EXPECT_NEAR(moments.deviation, 0.8796, 0.01);  // of the truncated distribution
  EXPECT_GE(moments.least, -2);
  EXPECT_LE(moments.most, 2);
  EXPECT_GT(moments.most, 1.95);
}

TEST(InitializersTest, TruncatedNormalIsTheNormalWhereThatIsWithinTheBounds) {
  const Variable truncated = MakeParameter({1000}), normal = MakeParameter({1000});
  InitializeTruncatedNormal(kKey, 0, 1, -1, 1, truncated);
  InitializeNormal(kKey, 0, 1, normal);
  for (int e = 0; e < 1000; ++e) {
    const float value = normal.value().data<float>()[e];
    if (std::abs(value) > 1) continue;
    EXPECT_EQ(truncated.value().data<float>()[e], value) << e;
  }
}

TEST(InitializersTest, BoundsFarFromTheMeanAreTaken) {
  const Variable parameter = MakeParameter({3});
  InitializeTruncatedNormal(kKey, 0, 1, 50, 60, parameter);
  EXPECT_EQ(parameter.value().ToString(), "tensor([50, 50, 50])");
}

TEST(InitializersTest, FansCountTheKernel) {
  EXPECT_EQ(FansOf({8, 3}).in, 3);
  EXPECT_EQ(FansOf({8, 3}).out, 8);
  EXPECT_EQ(FansOf({8, 3, 5, 5}).in, 75);
  EXPECT_EQ(FansOf({8, 3, 5, 5}).out, 200);
}

TEST(InitializersTest, XavierAndKaimingHaveTheirScales) {
  const Variable parameter = MakeParameter({300, 100, 3});  // fans 300 and 900
  InitializeXavierUniform(kKey, 2, parameter);
  EXPECT_NEAR(MomentsOf(parameter).most, 2 * std::sqrt(6.0 / 1200), 1e-4);
  EXPECT_NEAR(MomentsOf(parameter).least, -2 * std::sqrt(6.0 / 1200), 1e-4);
  InitializeXavierNormal(kKey, 1, parameter);
  EXPECT_NEAR(MomentsOf(parameter).deviation, std::sqrt(2.0 / 1200), 4e-4);
  InitializeKaimingUniform(kKey, std::sqrt(2.0), FanMode::kFanIn, parameter);
  EXPECT_NEAR(MomentsOf(parameter).most, std::sqrt(6.0 / 300), 1e-4);
  InitializeKaimingNormal(kKey, std::sqrt(2.0), FanMode::kFanOut, parameter);
  EXPECT_NEAR(MomentsOf(parameter).deviation, std::sqrt(2.0 / 900), 4e-4);
}

// The products of rows (or columns) with each other.
void ExpectOrthonormal(const Shape& shape, double gain) {
  const Variable parameter = MakeParameter(shape);
  InitializeOrthogonal(kKey, gain, parameter);
  const int64_t rows = shape.dim(0), columns = shape.element_count() / rows;
  const bool by_rows = rows <= columns;
  const int64_t count = by_rows ? rows : columns, size = by_rows ? columns : rows;
  const float* q = parameter.value().data<float>();
  for (int64_t a = 0; a < count; ++a) {
    for (int64_t b = 0; b <= a; ++b) {
      double product = 0;
      for (int64_t i = 0; i < size; ++i) {
        product += by_rows ? static_cast<double>(q[a * columns + i]) * q[b * columns + i]
                           : static_cast<double>(q[i * columns + a]) * q[i * columns + b];
      }
      EXPECT_NEAR(product, a == b ? gain * gain : 0, 1e-6) << a << " and " << b;
    }
  }
}

TEST(InitializersTest, OrthogonalIsOrthogonal) {
  ExpectOrthonormal({1, 1}, 1);
  ExpectOrthonormal({20, 50}, 1);
  ExpectOrthonormal({50, 20}, 2);
  ExpectOrthonormal({30, 30}, 1);
  ExpectOrthonormal({8, 3, 2, 2}, 1);
}

TEST(InitializersTest, OrthogonalKeepsTheFirstVectorsDirection) {
  const Variable q = MakeParameter({2, 3}), normal = MakeParameter({2, 3});
  InitializeOrthogonal(kKey, 1, q);
  InitializeNormal(kKey, 0, 1, normal);
  const float* v = normal.value().data<float>();
  const double length = std::sqrt(double{v[0]} * v[0] + double{v[1]} * v[1] + double{v[2]} * v[2]);
  for (int i = 0; i < 3; ++i) EXPECT_FLOAT_EQ(q.value().data<float>()[i], v[i] / length);
}

}  // namespace
}  // namespace lockstep::nn
