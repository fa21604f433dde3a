#include "engine/autograd/extremum_ops.h"

#include <cmath>
#include <limits>
#include <vector>

#include "engine/autograd/gradient_check.h"
#include "engine/autograd/shard_cuts.h"
#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

using Inputs = std::vector<Variable>;

Variable Values(Shape shape, const std::vector<float>& values, bool requires_grad = false) {
  return Variable(Tensor::FromVector(std::move(shape), values), requires_grad);
}

TEST(ExtremumOpsTest, ValuesPositionsAndGradientsAlongAnAxis) {
  const Variable x = Values({2, 3}, {1, 5, 5, -2, -7, 0}, true);
  EXPECT_EQ(Max(x, 1).value().ToString(), "tensor([5, 0])");
  EXPECT_EQ(Min(x, 0, true).value().ToString(), "tensor([[-2, -7, 0]])");
  EXPECT_EQ(ArgMax(x.value(), -1).ToString(), "tensor([1, 2])");
  EXPECT_EQ(ArgMin(x.value(), 0).ToString(), "tensor([1, 1, 1])");
  EXPECT_EQ(ArgMin(x.value(), 1, true).shape(), (Shape{2, 1}));
  Max(x, 1).Backward(Tensor::FromVector({2}, std::vector<float>{3, 4}));
  EXPECT_EQ(x.grad().ToString(), "tensor([[0, 3, 0], [0, 0, 4]])");
}

TEST(ExtremumOpsTest, OverSeveralAxesTheFirstInRowOrderCounts) {
  const Variable x = Values({2, 2, 2}, {1, 9, 2, 3, 9, 4, 5, 9}, true);
  const Variable y = Max(x, {0, 2});
  EXPECT_EQ(y.value().ToString(), "tensor([9, 9])");
  y.Backward(Tensor::Full({2}, 1));
  EXPECT_EQ(x.grad().ToString(), "tensor([[[0, 1], [0, 0]], [[0, 0], [0, 1]]])");
  EXPECT_EQ(Min(x, {0, -1}, true).shape(), (Shape{1, 2, 1}));
  EXPECT_EQ(Max(x).item(), 9);
  EXPECT_EQ(Min(x).item(), 1);
}

TEST(ExtremumOpsTest, PositionsOverSeveralAxes) {
  const Tensor x = Values({2, 2, 2}, {1, 9, 2, 3, 9, 4, 5, 11}).value();
  EXPECT_EQ(ArgMax(x, {0, 2}).ToString(), "tensor([1, 3])");
  EXPECT_EQ(ArgMin(x, {-1, 0}).ToString(), "tensor([0, 0])");
  EXPECT_EQ(ArgMax(x, {1, 2}, true).shape(), (Shape{2, 1, 1}));
  EXPECT_EQ(ArgMax(x, {1, 2}, true).ToString(), "tensor([[[1]], [[3]]])");
  EXPECT_EQ(ArgMax(x).ToString(), "tensor(7)");
  EXPECT_EQ(ArgMin(x).ToString(), "tensor(0)");
}

TEST(ExtremumOpsTest, NaNWins) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor x = Tensor::FromVector({4}, std::vector<float>{1, nan, INFINITY, nan});
  EXPECT_TRUE(std::isnan(Max(Variable(x)).item()));
  EXPECT_EQ(ArgMax(x, 0).ToString(), "tensor(1)");
  EXPECT_EQ(ArgMin(x, 0).ToString(), "tensor(1)");
}

TEST(ExtremumOpsTest, Gradients) {
  const Tensor values = TestValues({3, 4, 2}, -2, 2);
  for (int axis = 0; axis < 3; ++axis) {
    EXPECT_EQ(CheckGradients([=](const Inputs& x) { return Max(x[0], axis); }, {values}), "");
    EXPECT_EQ(CheckGradients([=](const Inputs& x) { return Min(x[0], axis, true); }, {values}), "");
  }
  EXPECT_EQ(CheckGradients([](const Inputs& x) { return Max(x[0], {0, 2}); }, {values}), "");
  EXPECT_EQ(CheckGradients([](const Inputs& x) { return Min(x[0]); }, {values}), "");
}

TEST(ExtremumOpsTest, OverTheBatchShardsAreNotKeptApart) {
  ShardCuts scope({0, 1, 3});
  const Variable x(TestValues({3, 2}), true);
  Max(x, 1);
  EXPECT_TRUE(scope.supported());
  Max(x, 0);
  EXPECT_FALSE(scope.supported());
}

TEST(ExtremumOpsDeathTest, WrongAxesAreNamed) {
  const Variable x(Tensor::Zeros({3, 0}));
  EXPECT_DEATH(Max(x, 2), "max: shape \\[3, 0\\] has no axis 2");
  EXPECT_DEATH(Min(x, 1), "min: axis 1 of shape \\[3, 0\\] has no elements");
  EXPECT_DEATH(Max(x, {0, -2}), "max: an axis of shape \\[3, 0\\] is named twice");
}

}  // namespace
}  // namespace lockstep::autograd
