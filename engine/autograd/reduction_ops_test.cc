#include "engine/autograd/reduction_ops.h"

#include "engine/autograd/arithmetic_ops.h"
#include "engine/autograd/gradient_check.h"
#include "engine/autograd/shard_cuts.h"
#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

using Inputs = std::vector<Variable>;

Variable SixNumbers() {
  return Variable(Tensor::FromVector({2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6}));
}

TEST(ReductionOpsTest, SumsAndMeans) {
  const Variable x = SixNumbers();
  EXPECT_EQ(Sum(x).value().ToString(), "tensor(21)");
  EXPECT_EQ(Mean(x).value().ToString(), "tensor(3.5)");
  EXPECT_EQ(Sum(x, 0).value().ToString(), "tensor([5, 7, 9])");
  EXPECT_EQ(Sum(x, -1).value().ToString(), "tensor([6, 15])");
  EXPECT_EQ(Sum(x, 1, /*keep_axis=*/true).value().ToString(), "tensor([[6], [15]])");
  EXPECT_EQ(Mean(x, 0, /*keep_axis=*/true).value().ToString(), "tensor([[2.5, 3.5, 4.5]])");
}

TEST(ReductionOpsTest, AMiddleAxis) {
  const Variable x(TestValues({2, 3, 4}));
  const Tensor sum = Sum(x, 1).value();
  ASSERT_EQ(sum.shape(), (Shape{2, 4}));
  const float* from = x.value().data<float>();
  EXPECT_EQ(sum.data<float>()[5], ((0.0f + from[13]) + from[17]) + from[21]);
}

TEST(ReductionOpsTest, NothingSumsToZero) {
  EXPECT_EQ(Sum(Variable(Tensor::Zeros({0, 2})), 0).value().ToString(), "tensor([0, 0])");
  EXPECT_EQ(Sum(Variable(Tensor::Zeros({0}))).item(), 0);
}

TEST(ReductionOpsTest, GradientsAreRepeated) {
  for (const bool keep : {false, true}) {
    for (const int axis : {0, 1, -1}) {
      const auto sum = [&](const Inputs& x) { return Sum(x[0] * x[0], axis, keep); };
      const auto mean = [&](const Inputs& x) { return Mean(x[0] * x[0], axis, keep); };
      EXPECT_EQ(CheckGradients(sum, {TestValues({2, 3, 4})}), "");
      EXPECT_EQ(CheckGradients(mean, {TestValues({2, 3, 4})}), "");
    }
  }
  EXPECT_EQ(CheckGradients([](const Inputs& x) { return Sum(x[0] * x[0]); }, {TestValues({2, 3})}),
            "");
  EXPECT_EQ(CheckGradients([](const Inputs& x) { return Mean(x[0] * x[0]); }, {TestValues({2, 3})}),
            "");
}

TEST(ReductionOpsTest, SumToShapeUndoesBroadcasting) {
  const Tensor ones = Tensor::Full({2, 3, 4}, 1);
  EXPECT_EQ(SumToShape(ones, {}, {}).item(), 24);
  EXPECT_EQ(SumToShape(ones, {4}, {}).ToString(), "tensor([6, 6, 6, 6])");
  EXPECT_EQ(SumToShape(ones, {3, 1}, {}).ToString(), "tensor([[8], [8], [8]])");
  EXPECT_EQ(SumToShape(ones, {2, 1, 1}, {}).ToString(), "tensor([[[12]], [[12]]])");
}

TEST(ReductionOpsTest, SumsOverTheBatchAreNotShardAware) {
  ShardCuts scope({0, 1, 2});
  Sum(SixNumbers(), 1);
  EXPECT_TRUE(scope.supported());
  Sum(SixNumbers(), 0);
  EXPECT_FALSE(scope.supported());
}

TEST(ReductionOpsDeathTest, AMissingAxisNamesTheShape) {
  EXPECT_DEATH(Sum(SixNumbers(), 2), "sum: shape \\[2, 3\\] has no axis 2");
}

}  // namespace
}  // namespace lockstep::autograd
