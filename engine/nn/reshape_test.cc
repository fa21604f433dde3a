#include "engine/nn/reshape.h"

#include "engine/nn/linear.h"
#include "gtest/gtest.h"

namespace lockstep::nn {
namespace {

using autograd::Variable;

TEST(ReshapeTest, KeepsTheOrderOfElements) {
  const Variable x(Tensor::FromVector({1, 4}, std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(Reshape({2, 2}).Forward(x).value().ToString(), "tensor([[[1, 2], [3, 4]]])");
  EXPECT_EQ(Reshape({-1, 1}).Forward(x).shape(), (Shape{1, 4, 1}));
}

TEST(ReshapeTest, AnExtentMayBeWhatIsLeftOver) {
  EXPECT_EQ(*Reshape({1, 28, 28}).OutputShape({784}), (Shape{1, 28, 28}));
  EXPECT_EQ(*Reshape({4, -1}).OutputShape({28, 28}), (Shape{4, 196}));
  EXPECT_EQ(*Reshape({-1}).OutputShape({}), (Shape{1}));
}

TEST(ReshapeTest, WhatDoesNotComeOutIsAnError) {
  EXPECT_EQ(Reshape({3, -1}).OutputShape({2, 5}).status().message(),
            "reshape: got an example of shape [2, 5] (10 elements), want as many as [3, -1] has");
  EXPECT_FALSE(Reshape({10, 2}).OutputShape({10}).ok());
  EXPECT_FALSE(Reshape({5}).OutputShape({10}).ok());
  EXPECT_FALSE(Reshape({-1, -1}).OutputShape({10}).ok());
  EXPECT_FALSE(Reshape({0, -1}).OutputShape({10}).ok());
  EXPECT_FALSE(Reshape({int64_t{1} << 62, int64_t{1} << 62}).OutputShape({10}).ok());
}

TEST(OneChannelTest, AddsTheAxisOfChannelsBeforeItsLayer) {
  OneChannel layer(std::make_shared<Linear>(3, 2));
  EXPECT_EQ(*layer.OutputShape({5, 3}), (Shape{1, 5, 2}));
  EXPECT_EQ(layer.NamedParameters()[0].name, "weight");
  EXPECT_EQ(layer.Describe(), "Linear(in_features=3, out_features=2, bias=True)");
  layer.Initialize(1);
  EXPECT_EQ(layer.Forward(Variable(Tensor::Full({4, 5, 3}, 1))).shape(), (Shape{4, 1, 5, 2}));
}

}  // namespace
}  // namespace lockstep::nn
