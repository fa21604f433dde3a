#include "engine/autograd/statistics_ops.h"

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

const std::vector<float> kNumbers = {-1.5f, 0.25f, 2, 3, 0.5f, -0.125f};

// Results and gradients as PyTorch 2.13 gives them.
TEST(StatisticsOpsTest, ValuesOfPyTorch) {
  const Variable x = Values({2, 3}, kNumbers, true);
  EXPECT_EQ(Sum(x, {0, 1}).item(), 4.125);
  EXPECT_EQ(Mean(x, {1, 0}, true).value().ToString(), "tensor([[0.6875]])");
  EXPECT_NEAR(Var(x).item(), 2.5484375, 1e-6);
  EXPECT_EQ(Var(x, {1}, false).value().ToString(), "tensor([2.04167, 1.82292])");
  EXPECT_EQ(Std(x, {0}, true, true).value().ToString(), "tensor([[3.18198, 0.176777, 1.5026]])");
  Std(x).Backward();
  EXPECT_NEAR(x.grad().data<float>()[0], -0.2740571, 1e-6);
  EXPECT_NEAR(x.grad().data<float>()[5], -0.1017926, 1e-6);
}

TEST(StatisticsOpsTest, Gradients) {
  const Tensor values = TestValues({3, 4, 2}, -2, 2);
  EXPECT_EQ(CheckGradients([](const Inputs& x) { return Sum(x[0], {0, 2}); }, {values}), "");
  EXPECT_EQ(CheckGradients([](const Inputs& x) { return Mean(x[0], {1, 2}); }, {values}), "");
  EXPECT_EQ(CheckGradients([](const Inputs& x) { return Var(x[0], {0, -1}); }, {values}), "");
  EXPECT_EQ(CheckGradients([](const Inputs& x) { return Std(x[0], {1}, false, true); }, {values}),
            "");
}

TEST(StatisticsOpsTest, OverAnExamplesOwnAxesShardsStayApart) {
  ShardCuts scope({0, 1, 3});
  const Variable x(TestValues({3, 2, 2}), true);
  Var(x, {1, 2});
  EXPECT_TRUE(scope.supported());
  Var(x, {0});
  EXPECT_FALSE(scope.supported());
}

TEST(StatisticsOpsDeathTest, WrongAxesAreNamed) {
  EXPECT_DEATH(Sum(Values({2}, {1, 2}), {0, 1}), "sum: shape \\[2\\] has no axis 1");
}

}  // namespace
}  // namespace lockstep::autograd
