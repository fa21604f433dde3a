#include "engine/nn/pooling.h"

#include "gtest/gtest.h"

namespace lockstep::nn {
namespace {

using autograd::Variable;

TEST(PoolingTest, OutputShapeIsThatOfForward) {
  const Variable images(Tensor::Zeros({2, 3, 9, 10})), lines(Tensor::Zeros({2, 3, 9}));
  EXPECT_EQ(*MaxPool2d({{2, 3}, {2, 1}}).OutputShape({3, 9, 10}), (Shape{3, 4, 8}));
  EXPECT_EQ(MaxPool2d({{2, 3}, {2, 1}}).Forward(images).shape(), (Shape{2, 3, 4, 8}));
  EXPECT_EQ(*AvgPool2d({{3, 3}, {2, 2}, {1, 1}}).OutputShape({3, 9, 10}), (Shape{3, 5, 5}));
  EXPECT_EQ(AvgPool2d({{3, 3}, {2, 2}, {1, 1}}).Forward(images).shape(), (Shape{2, 3, 5, 5}));
  EXPECT_EQ(*AdaptiveAvgPool2d({1, 2}).OutputShape({3, 9, 10}), (Shape{3, 1, 2}));
  EXPECT_EQ(AdaptiveAvgPool2d({1, 2}).Forward(images).shape(), (Shape{2, 3, 1, 2}));
  EXPECT_EQ(*MaxPool1d(3, 2).OutputShape({3, 9}), (Shape{3, 4}));
  EXPECT_EQ(MaxPool1d(3, 2).Forward(lines).shape(), (Shape{2, 3, 4}));
  EXPECT_EQ(AvgPool1d(2, 2).Forward(lines).shape(), (Shape{2, 3, 4}));
  EXPECT_EQ(*AdaptiveAvgPool1d(5).OutputShape({3, 9}), (Shape{3, 5}));
  EXPECT_EQ(AdaptiveAvgPool1d(5).Forward(lines).shape(), (Shape{2, 3, 5}));
}

TEST(PoolingTest, MisfitsAreNamed) {
  EXPECT_EQ(MaxPool2d({{2, 2}, {2, 2}}).OutputShape({28, 28}).status().message(),
            "max_pool2d: got an example of shape [28, 28], want [channels, height, width]");
  EXPECT_EQ(AvgPool1d(4, 1).OutputShape({2, 3}).status().message(),
            "avg_pool1d: got an example of shape [2, 3], want axes no smaller than the kernel");
  EXPECT_DEATH(MaxPool2d({{2, 2}, {2, 2}, {2, 2}}), "kernel 2, stride 2, padding 2");
}

TEST(PoolingTest, DescribesItselfAsTorchDoes) {
  EXPECT_EQ(MaxPool2d({{2, 2}, {2, 2}}).Describe(),
            "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)");
  EXPECT_EQ(MaxPool1d(3, 1, 1).Describe(),
            "MaxPool1d(kernel_size=3, stride=1, padding=1, dilation=1, ceil_mode=False)");
  EXPECT_EQ(AvgPool2d({{2, 3}, {2, 3}}).Describe(),
            "AvgPool2d(kernel_size=(2, 3), stride=(2, 3), padding=0)");
  EXPECT_EQ(AvgPool1d(2, 2).Describe(), "AvgPool1d(kernel_size=(2,), stride=(2,), padding=(0,))");
  EXPECT_EQ(AdaptiveAvgPool2d({1, 1}).Describe(), "AdaptiveAvgPool2d(output_size=1)");
  EXPECT_EQ(AdaptiveAvgPool1d(4).Describe(), "AdaptiveAvgPool1d(output_size=4)");
}

}  // namespace
}  // namespace lockstep::nn
