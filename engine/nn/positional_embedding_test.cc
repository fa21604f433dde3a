#include "engine/nn/positional_embedding.h"

#include <cmath>

#include "gtest/gtest.h"

namespace lockstep::nn {
namespace {

using autograd::Variable;

TEST(PositionalEmbeddingTest, TheLearnedTableIsAddedToEveryExample) {
  LearnedPositionalEmbedding layer(3, 2);
  layer.Initialize(7);
  const std::vector<NamedParameter> parameters = layer.NamedParameters();
  ASSERT_EQ(parameters.size(), 1u);
  EXPECT_EQ(parameters[0].name, "weight");
  EXPECT_EQ(parameters[0].variable.shape(), (Shape{3, 2}));
  const float* table = parameters[0].variable.value().data<float>();
  const Variable y = layer.Forward(Variable(Tensor::Full({2, 2, 2}, 1)));
  for (int i = 0; i < 8; ++i) EXPECT_EQ(y.value().data<float>()[i], 1 + table[i % 4]) << i;
  y.Backward(Tensor::Full({2, 2, 2}, 1));
  EXPECT_EQ(parameters[0].variable.grad().ToString(), "tensor([[2, 2], [2, 2], [0, 0]])");
}

TEST(PositionalEmbeddingTest, TheSinusoidalTableIsItsFormula) {
  const SinusoidalPositionalEmbedding layer(200, 6);
  const Variable y = layer.Forward(Variable(Tensor::Zeros({1, 200, 6})));
  for (int p = 0; p < 200; ++p) {
    for (int c = 0; c < 3; ++c) {
      const double angle = p * std::pow(10000.0, -2.0 * c / 6);
      EXPECT_NEAR(y.value().data<float>()[p * 6 + 2 * c], std::sin(angle), 1e-6);
      EXPECT_NEAR(y.value().data<float>()[p * 6 + 2 * c + 1], std::cos(angle), 1e-6);
    }
  }
  EXPECT_TRUE(layer.NamedParameters().empty());
}

TEST(PositionalEmbeddingTest, OutputShapeNamesWhatDoesNotFit) {
  EXPECT_EQ(*LearnedPositionalEmbedding(8, 4).OutputShape({5, 4}), (Shape{5, 4}));
  EXPECT_EQ(
      SinusoidalPositionalEmbedding(8, 4).OutputShape({9, 4}).status().message(),
      "positional_embedding: got an example of shape [9, 4], want [length, 4] with a length up "
      "to 8");
}

TEST(PositionalEmbeddingTest, DescribesItself) {
  EXPECT_EQ(LearnedPositionalEmbedding(8, 4).Describe(), "LearnedPositionalEmbedding(8, 4)");
  EXPECT_EQ(SinusoidalPositionalEmbedding(8, 4).Describe(), "SinusoidalPositionalEmbedding(8, 4)");
}

}  // namespace
}  // namespace lockstep::nn
