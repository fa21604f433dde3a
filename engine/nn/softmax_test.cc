#include "engine/nn/softmax.h"

#include "gtest/gtest.h"

namespace lockstep::nn {
namespace {

using autograd::Variable;

TEST(SoftmaxTest, ComputesOverItsAxis) {
  const Variable x(Tensor::FromVector({1, 2, 2}, std::vector<float>{3, 5, 3, 5}));
  EXPECT_EQ(Softmax(1).Forward(x).value().ToString(), "tensor([[[0.5, 0.5], [0.5, 0.5]]])");
  EXPECT_NEAR(LogSoftmax(1).Forward(x).value().data<float>()[0], -0.693147, 1e-6);
}

TEST(SoftmaxTest, OutputShapeNeedsTheAxis) {
  EXPECT_EQ(*Softmax().OutputShape({4, 3}), (Shape{4, 3}));
  EXPECT_EQ(Softmax(2).OutputShape({3}).status().message(),
            "softmax: got an example of shape [3], want one with axis 2 (the batch's is 0)");
  EXPECT_FALSE(LogSoftmax(0).OutputShape({3}).ok());
  EXPECT_FALSE(Softmax(-1).OutputShape({}).ok());
}

TEST(SoftmaxTest, DescribesItselfAsTorchDoes) {
  EXPECT_EQ(Softmax().Describe(), "Softmax(dim=-1)");
  EXPECT_EQ(LogSoftmax(1).Describe(), "LogSoftmax(dim=1)");
}

}  // namespace
}  // namespace lockstep::nn
