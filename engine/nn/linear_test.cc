#include "engine/nn/linear.h"

#include <cmath>

#include "engine/philox.h"
#include "gtest/gtest.h"

namespace lockstep::nn {
namespace {

TEST(LinearTest, ParametersAreNamedAndShapedAsInTorch) {
  const Linear linear(3, 2);
  const std::vector<NamedParameter> parameters = linear.NamedParameters();
  ASSERT_EQ(parameters.size(), 2u);
  EXPECT_EQ(parameters[0].name, "weight");
  EXPECT_EQ(parameters[0].variable.shape(), (Shape{2, 3}));
  EXPECT_EQ(parameters[1].name, "bias");
  EXPECT_EQ(parameters[1].variable.shape(), (Shape{2}));
  EXPECT_EQ(ParameterElementCount(linear), 8);
  EXPECT_EQ(Linear(3, 2, /*bias=*/false).NamedParameters().size(), 1u);
}

TEST(LinearTest, InitialValuesAreTheirFormula) {
  Linear linear(10, 7);
  linear.Initialize(/*key=*/42, /*first_parameter=*/4);
  const float bound = 1.0f / std::sqrt(10.0f);
  for (int parameter = 0; parameter < 2; ++parameter) {
    const Tensor& values = linear.NamedParameters()[parameter].variable.value();
    for (int64_t e = 0; e < values.element_count(); ++e) {
      const uint32_t word =
          RandomWord(42, RandomStream::kInitialValues, 4 + parameter, /*example=*/0, e);
      const float want = (2.0f * UniformFloat(word) - 1.0f) * bound;
      EXPECT_EQ(values.data<float>()[e], want);
      EXPECT_LE(std::abs(values.data<float>()[e]), bound);
    }
  }
}

TEST(LinearTest, KeysAndPlacesGiveOtherValues) {
  Linear a(4, 4), b(4, 4), c(4, 4);
  a.Initialize(1, 0);
  b.Initialize(2, 0);
  c.Initialize(1, 1);
  EXPECT_NE(a.weight().value().ToString(), b.weight().value().ToString());
  EXPECT_NE(a.weight().value().ToString(), c.weight().value().ToString());
}

TEST(LinearTest, OutputShapeIsOverTheLastAxis) {
  const Linear linear(3, 2);
  EXPECT_EQ(*linear.OutputShape({3}), (Shape{2}));
  EXPECT_EQ(*linear.OutputShape({5, 3}), (Shape{5, 2}));
  EXPECT_EQ(linear.OutputShape({3, 5}).status().message(),
            "linear: got an example of shape [3, 5], want a last axis of 3");
  EXPECT_FALSE(linear.OutputShape({}).ok());
}

TEST(LinearTest, DescribesItselfAsTorchDoes) {
  EXPECT_EQ(Linear(3, 2).Describe(), "Linear(in_features=3, out_features=2, bias=True)");
  EXPECT_EQ(Linear(3, 2, false).Describe(), "Linear(in_features=3, out_features=2, bias=False)");
}

}  // namespace
}  // namespace lockstep::nn
