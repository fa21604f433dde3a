#include "engine/autograd/comparison_ops.h"

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

const float kNaN = std::numeric_limits<float>::quiet_NaN();

TEST(ComparisonOpsTest, MasksOfEveryComparison) {
  const Variable a = Values({4}, {1, 2, 3, kNaN});
  const Variable b = Values({4}, {2, 2, 2, kNaN});
  EXPECT_EQ(Equal(a, b).value().ToString(), "tensor([0, 1, 0, 0])");
  EXPECT_EQ(NotEqual(a, b).value().ToString(), "tensor([1, 0, 1, 1])");
  EXPECT_EQ(Less(a, b).value().ToString(), "tensor([1, 0, 0, 0])");
  EXPECT_EQ(LessEqual(a, b).value().ToString(), "tensor([1, 1, 0, 0])");
  EXPECT_EQ(Greater(a, b).value().ToString(), "tensor([0, 0, 1, 0])");
  EXPECT_EQ(GreaterEqual(a, b).value().ToString(), "tensor([0, 1, 1, 0])");
}

TEST(ComparisonOpsTest, MasksHaveTheOperandsDTypeAndNoGradient) {
  const Variable a(Tensor::FromVector({2}, std::vector<double>{1, 2}), true);
  const Variable mask = Greater(a, Variable(Tensor::Scalar(1.5, DType::kFloat64)));
  EXPECT_EQ(mask.dtype(), DType::kFloat64);
  EXPECT_FALSE(mask.requires_grad());
  EXPECT_EQ(Less(Values({2, 1}, {1, 3}), Values({3}, {0, 2, 4})).value().ToString(),
            "tensor([[0, 1, 1], [0, 0, 1]])");
}

TEST(ComparisonOpsTest, WhereChoosesAndSendsTheGradientThere) {
  const Variable a = Values({2, 2}, {1, 2, 3, 4}, true);
  const Variable b = Values({2}, {kNaN, 20}, true);
  const Variable y = Where(Values({2, 2}, {1, 0, -0.5f, 0}), a, b);
  EXPECT_EQ(y.value().ToString(), "tensor([[1, 20], [3, 20]])");
  y.Backward(Tensor::FromVector({2, 2}, std::vector<float>{5, 6, 7, 8}));
  EXPECT_EQ(a.grad().ToString(), "tensor([[5, 0], [7, 0]])");
  EXPECT_EQ(b.grad().ToString(), "tensor([0, 14])");
}

TEST(ComparisonOpsTest, MaskedFillPutsTheNumberIn) {
  const Variable x = Values({2, 3}, {1, 2, 3, 4, 5, 6}, true);
  const Variable y = MaskedFill(x, Values({3}, {0, 1, 0}), -INFINITY);
  EXPECT_EQ(y.value().ToString(), "tensor([[1, -inf, 3], [4, -inf, 6]])");
  y.Backward(Tensor::Full({2, 3}, 1));
  EXPECT_EQ(x.grad().ToString(), "tensor([[1, 0, 1], [1, 0, 1]])");
}

TEST(ComparisonOpsTest, GradientsOfWhere) {
  const Tensor mask = Tensor::FromVector({2, 1}, std::vector<float>{1, 0});
  EXPECT_EQ(CheckGradients(
                [&](const Inputs& x) { return Where(Variable(mask.To(x[0].dtype())), x[0], x[1]); },
                {TestValues({2, 3}), TestValues({3}, -1, 1, 1)}),
            "");
}

TEST(ComparisonOpsDeathTest, ShapesThatDoNotFitAreNamed) {
  EXPECT_DEATH(Where(Values({2}, {1, 0}), Values({3}, {1, 2, 3}), Values({1}, {0})),
               "where.*\\[2\\].*\\[3\\]|where.*\\[3\\].*\\[2\\]");
}

}  // namespace
}  // namespace lockstep::autograd
