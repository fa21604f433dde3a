#include "engine/nn/group_norm.h"

#include "gtest/gtest.h"

namespace lockstep::nn {
namespace {

using autograd::Variable;

TEST(GroupNormTest, NormalisesEachGroupOfAnExample) {
  GroupNorm layer(2, 4, /*epsilon=*/0);
  layer.Initialize(1);
  const Variable x(Tensor::FromVector({1, 4, 1}, std::vector<float>{1, 3, 10, 50}));
  EXPECT_EQ(layer.Forward(x).value().ToString(), "tensor([[[-1], [1], [-1], [1]]])");
  EXPECT_EQ(layer.NamedParameters().size(), 2u);
  EXPECT_EQ(layer.NamedParameters()[1].name, "bias");
  EXPECT_TRUE(GroupNorm(2, 4, 1e-5, /*affine=*/false).NamedParameters().empty());
}

TEST(GroupNormTest, OutputShapeNamesWhatDoesNotFit) {
  EXPECT_EQ(*GroupNorm(2, 4).OutputShape({4, 7}), (Shape{4, 7}));
  EXPECT_EQ(GroupNorm(2, 4).OutputShape({7, 4}).status().message(),
            "group_norm: got an example of shape [7, 4], want a first axis of 4");
}

TEST(GroupNormTest, DescribesItselfAsTorchDoes) {
  EXPECT_EQ(GroupNorm(2, 8).Describe(), "GroupNorm(2, 8, eps=1e-05, affine=True, bias=True)");
}

}  // namespace
}  // namespace lockstep::nn
