#include "engine/nn/layer_norm.h"

#include "gtest/gtest.h"

namespace lockstep::nn {
namespace {

using autograd::Variable;

TEST(LayerNormTest, ParametersAreNamedShapedAndFilledAsInTorch) {
  LayerNorm layer({2, 3});
  layer.Initialize(1);
  const std::vector<NamedParameter> parameters = layer.NamedParameters();
  ASSERT_EQ(parameters.size(), 2u);
  EXPECT_EQ(parameters[0].name, "weight");
  EXPECT_EQ(parameters[0].variable.value().ToString(), "tensor([[1, 1, 1], [1, 1, 1]])");
  EXPECT_EQ(parameters[1].name, "bias");
  EXPECT_EQ(parameters[1].variable.value().ToString(), "tensor([[0, 0, 0], [0, 0, 0]])");
  EXPECT_EQ(LayerNorm({3}, {1e-5, false, true}).NamedParameters().size(), 0u);
  EXPECT_EQ(LayerNorm({3}, {1e-5, true, false}).NamedParameters().size(), 1u);
  EXPECT_EQ(RMSNorm({3}).NamedParameters().size(), 1u);
}

TEST(LayerNormTest, NormalisesEachRow) {
  LayerNorm layer({2}, {/*epsilon=*/0});
  layer.Initialize(1);
  const Variable x(Tensor::FromVector({2, 2}, std::vector<float>{1, 3, 10, -10}));
  EXPECT_EQ(layer.Forward(x).value().ToString(), "tensor([[-1, 1], [1, -1]])");
  RMSNorm root({2});
  root.Initialize(1);
  const Variable z(Tensor::FromVector({1, 2}, std::vector<float>{4, 4}));
  EXPECT_EQ(root.Forward(z).value().ToString(), "tensor([[1, 1]])");
}

TEST(LayerNormTest, OutputShapeNamesWhatDoesNotFit) {
  const LayerNorm layer({4});
  EXPECT_EQ(*layer.OutputShape({7, 4}), (Shape{7, 4}));
  EXPECT_EQ(layer.OutputShape({4, 7}).status().message(),
            "layer_norm: got an example of shape [4, 7], want last axes [4]");
  EXPECT_EQ(RMSNorm({4}).OutputShape({3}).status().message(),
            "rms_norm: got an example of shape [3], want last axes [4]");
}

TEST(LayerNormTest, DescribesItselfAsTorchDoes) {
  EXPECT_EQ(LayerNorm({128}).Describe(),
            "LayerNorm((128,), eps=1e-05, elementwise_affine=True, bias=True)");
  EXPECT_EQ(LayerNorm({3, 4}, {1e-5, false}).Describe(),
            "LayerNorm((3, 4), eps=1e-05, elementwise_affine=False, bias=False)");
  EXPECT_EQ(RMSNorm({8}).Describe(), "RMSNorm((8,), eps=None, elementwise_affine=True)");
  EXPECT_EQ(RMSNorm({2, 8}, {1e-6}).Describe(),
            "RMSNorm((2, 8), eps=1e-06, elementwise_affine=True)");
}

}  // namespace
}  // namespace lockstep::nn
