#include "engine/autograd/softmax_ops.h"

#include <vector>

#include "engine/autograd/gradient_check.h"
#include "engine/autograd/shard_cuts.h"
#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

using Inputs = std::vector<Variable>;

TEST(SoftmaxOpsTest, ValuesByHand) {
  const Variable x(Tensor::FromVector({1, 3}, std::vector<float>{1, 2, 3}));
  const std::vector<float> want = {0.0900305732f, 0.2447284711f, 0.6652409558f};
  const std::vector<float> want_log = {-2.4076059644f, -1.4076059644f, -0.4076059644f};
  for (int i = 0; i < 3; ++i) {
    EXPECT_NEAR(Softmax(x).value().data<float>()[i], want[i], 1e-7);
    EXPECT_NEAR(LogSoftmax(x).value().data<float>()[i], want_log[i], 1e-6);
  }
  EXPECT_NEAR(LogSumExp(x).item(), 3.4076059644, 1e-6);
  EXPECT_EQ(LogSumExp(x).shape(), (Shape{1}));
  EXPECT_EQ(LogSumExp(x, 1, /*keep_axis=*/true).shape(), (Shape{1, 1}));
}

TEST(SoftmaxOpsTest, TheScaleIsThatOfTheInput) {
  const Variable x(Tensor::FromVector({2}, std::vector<float>{4, 8}));
  const Variable scaled(Tensor::FromVector({2}, std::vector<float>{1, 2}));
  EXPECT_EQ(Softmax(x, -1, 0.25f).value().ToString(), Softmax(scaled).value().ToString());
}

TEST(SoftmaxOpsTest, AnotherAxisIsTransposed) {
  const Variable x(Tensor::FromVector({2, 2}, std::vector<float>{0, 5, 0, 5}));
  EXPECT_EQ(Softmax(x, 0).value().ToString(), "tensor([[0.5, 0.5], [0.5, 0.5]])");
  EXPECT_EQ(LogSumExp(Variable(TestValues({2, 3, 4})), 1).shape(), (Shape{2, 4}));
}

TEST(SoftmaxOpsTest, Gradients) {
  const Tensor x = TestValues({2, 3, 4}, -2, 2);
  for (int axis : {0, 1, 2, -1}) {
    EXPECT_EQ(CheckGradients([=](const Inputs& v) { return Softmax(v[0], axis, 0.7f); }, {x}), "");
    EXPECT_EQ(CheckGradients([=](const Inputs& v) { return LogSoftmax(v[0], axis); }, {x}), "");
    EXPECT_EQ(CheckGradients([=](const Inputs& v) { return LogSumExp(v[0], axis); }, {x}), "");
  }
}

TEST(SoftmaxOpsTest, OnlyTheExamplesAxisMixesShards) {
  const Variable x(TestValues({4, 3}));
  ShardCuts scope({0, 1, 4});
  Softmax(x, 1);
  EXPECT_TRUE(scope.supported());
  Softmax(x, 0);
  EXPECT_FALSE(scope.supported());
}

TEST(SoftmaxOpsDeathTest, NamesWhatDoesNotFit) {
  EXPECT_DEATH(Softmax(Variable(Tensor::Zeros({2, 3})), 2),
               "softmax: shape \\[2, 3\\] has no axis 2");
  EXPECT_DEATH(LogSumExp(Variable(Tensor::Zeros({2, 0}))), "axis -1 of shape \\[2, 0\\] is empty");
}

}  // namespace
}  // namespace lockstep::autograd
