#include "engine/nn/embedding.h"

#include "gtest/gtest.h"

namespace lockstep::nn {
namespace {

using autograd::Variable;

TEST(EmbeddingTest, LooksUpItsWeight) {
  Embedding layer(10, 3);
  layer.Initialize(/*key=*/7);
  ASSERT_EQ(layer.NamedParameters().size(), 1u);
  EXPECT_EQ(layer.NamedParameters()[0].name, "weight");
  EXPECT_EQ(layer.weight().shape(), (Shape{10, 3}));
  const Variable words(Tensor::FromVector({1, 2}, std::vector<int64_t>{4, 9}));
  const Variable y = layer.Forward(words);
  EXPECT_EQ(y.shape(), (Shape{1, 2, 3}));
  EXPECT_EQ(y.value().data<float>()[0], layer.weight().value().data<float>()[12]);
  EXPECT_NE(y.value().data<float>()[0], y.value().data<float>()[3]);
}

TEST(EmbeddingTest, ThePaddingEntryStartsAtZeroAndStays) {
  Embedding layer(4, 2, /*padding_index=*/1);
  layer.Initialize(7);
  const Variable words(Tensor::FromVector({2}, std::vector<int64_t>{1, 2}));
  const Variable y = layer.Forward(words);
  EXPECT_EQ(y.value().Rows(0, 1).ToString(), "tensor([[0, 0]])");
  y.Backward(Tensor::Full({2, 2}, 1));
  EXPECT_EQ(layer.weight().grad().ToString(), "tensor([[0, 0], [0, 0], [1, 1], [0, 0]])");
}

TEST(EmbeddingTest, OutputShapeHasOneMoreAxis) {
  EXPECT_EQ(*Embedding(10, 3).OutputShape({5}), (Shape{5, 3}));
  EXPECT_EQ(*Embedding(10, 3).OutputShape({}), (Shape{3}));
}

TEST(EmbeddingTest, DescribesItselfAsTorchDoes) {
  EXPECT_EQ(Embedding(10, 4).Describe(), "Embedding(10, 4)");
  EXPECT_EQ(Embedding(10, 4, 0).Describe(), "Embedding(10, 4, padding_idx=0)");
}

}  // namespace
}  // namespace lockstep::nn
