#include "engine/nn/residual.h"

#include "engine/nn/activations.h"
#include "engine/nn/linear.h"
#include "engine/nn/sequential.h"
#include "gtest/gtest.h"

namespace lockstep::nn {
namespace {

using autograd::Variable;

std::shared_ptr<Sequential> Layers(int64_t in, int64_t out) {
  return std::make_shared<Sequential>(std::vector<std::shared_ptr<Module>>{
      std::make_shared<Linear>(in, out), std::make_shared<ReLU>()});
}

TEST(ResidualTest, AddsItsInput) {
  const Residual residual(std::make_shared<ReLU>());
  const Variable x(Tensor::FromVector({2, 2}, std::vector<float>{-1, 2, 3, -4}), true);
  const Variable y = residual.Forward(x);
  EXPECT_EQ(y.value().ToString(), "tensor([[-1, 4], [6, -4]])");
  y.Backward(Tensor::Full({2, 2}, 1));
  EXPECT_EQ(x.grad().ToString(), "tensor([[1, 2], [2, 1]])");
}

TEST(ResidualTest, NamesAndInitialisesBothSides) {
  Residual residual(Layers(3, 2), std::make_shared<Linear>(3, 2, /*bias=*/false));
  residual.Initialize(/*key=*/9, /*first_parameter=*/4);
  const std::vector<NamedParameter> parameters = residual.NamedParameters();
  ASSERT_EQ(parameters.size(), 3u);
  EXPECT_EQ(parameters[0].name, "layers.0.weight");
  EXPECT_EQ(parameters[1].name, "layers.0.bias");
  EXPECT_EQ(parameters[2].name, "shortcut.weight");
  Linear alone(3, 2, /*bias=*/false);
  alone.Initialize(9, 6);
  EXPECT_EQ(parameters[2].variable.value().ToString(), alone.weight().value().ToString());
}

TEST(ResidualTest, BothSidesMustHaveOneShape) {
  EXPECT_EQ(*Residual(Layers(3, 3)).OutputShape({5, 3}), (Shape{5, 3}));
  EXPECT_EQ(*Residual(Layers(3, 2), Layers(3, 2)).OutputShape({3}), (Shape{2}));
  EXPECT_EQ(Residual(Layers(3, 2)).OutputShape({3}).status().message(),
            "residual: got outputs of shape [2] from its layers and [3] from its shortcut, want "
            "the same shape");
}

TEST(ResidualTest, DescribesItsSides) {
  EXPECT_EQ(Residual(Layers(3, 3), std::make_shared<ReLU>()).Describe(),
            "Residual(\n"
            "  (layers): Sequential(\n"
            "    (0): Linear(in_features=3, out_features=3, bias=True)\n"
            "    (1): ReLU()\n"
            "  )\n"
            "  (shortcut): ReLU()\n"
            ")");
}

}  // namespace
}  // namespace lockstep::nn
