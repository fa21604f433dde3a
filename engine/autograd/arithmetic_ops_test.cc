#include "engine/autograd/arithmetic_ops.h"

#include "engine/autograd/gradient_check.h"
#include "engine/autograd/reduction_ops.h"
#include "engine/autograd/shard_cuts.h"
#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

using Inputs = std::vector<Variable>;
using BinaryFunction = Variable (*)(const Variable&, const Variable&);

constexpr BinaryFunction kBinaries[] = {Add, Subtract, Multiply, Divide};

Variable Values(Shape shape, const std::vector<float>& values) {
  return Variable(Tensor::FromVector(std::move(shape), values));
}

TEST(ArithmeticOpsTest, NumbersOnEitherSide) {
  const Variable x(4.0f);
  EXPECT_EQ((x + 1.0f).item(), 5);
  EXPECT_EQ((1.0f + x).item(), 5);
  EXPECT_EQ((x - 1.0f).item(), 3);
  EXPECT_EQ((1.0f - x).item(), -3);
  EXPECT_EQ((x * 2.0f).item(), 8);
  EXPECT_EQ((2.0f * x).item(), 8);
  EXPECT_EQ((x / 2.0f).item(), 2);
  EXPECT_EQ((2.0f / x).item(), 0.5);
  EXPECT_EQ((-x).item(), -4);
}

TEST(ArithmeticOpsTest, BroadcastsAsNumPy) {
  const Variable matrix = Values({2, 3}, {1, 2, 3, 4, 5, 6});
  const Variable row = Values({3}, {10, 20, 30});
  const Variable column = Values({2, 1}, {100, 200});
  EXPECT_EQ((matrix - row).value().ToString(), "tensor([[-9, -18, -27], [-6, -15, -24]])");
  EXPECT_EQ((row - matrix).value().ToString(), "tensor([[9, 18, 27], [6, 15, 24]])");
  EXPECT_EQ((matrix - column).value().ToString(), "tensor([[-99, -98, -97], [-196, -195, -194]])");
  EXPECT_EQ((column + row).value().ToString(), "tensor([[110, 120, 130], [210, 220, 230]])");
  EXPECT_EQ((Values({3}, {3, 5, 6}) + 3.0f).value().ToString(), "tensor([6, 8, 9])");
  EXPECT_EQ((Values({3}, {3, 5, 6}) * Values({3}, {2, 1, 3})).value().ToString(),
            "tensor([6, 5, 18])");
  EXPECT_EQ((Values({1, 1}, {2}) * row).shape(), (Shape{1, 3}));
  EXPECT_EQ((Variable(Tensor::Zeros({0, 3})) + row).shape(), (Shape{0, 3}));
}

TEST(ArithmeticOpsTest, BinaryGradientsOfEveryBroadcast) {
  const std::vector<std::pair<Shape, Shape>> shapes = {
      {{2, 3}, {2, 3}}, {{2, 3}, {3}}, {{3}, {2, 3}},          {{2, 3}, {2, 1}}, {{1, 3}, {2, 1}},
      {{}, {2, 3}},     {{2, 3}, {}},  {{2, 1, 3}, {4, 1}},    {{1}, {}},        {{}, {}},
      {{1}, {2, 3}},    {{5}, {5}},    {{2, 2, 2}, {2, 1, 2}},
  };
  for (BinaryFunction function : kBinaries) {
    for (const auto& [a, b] : shapes) {
      EXPECT_EQ(CheckGradients([&](const Inputs& x) { return function(x[0], x[1]); },
                               {TestValues(a, -1, 1, 1), TestValues(b, 1, 2, 2)}),
                "")
          << a.ToString() << " " << b.ToString();
    }
  }
}

TEST(ArithmeticOpsTest, TheSameVariableOnBothSides) {
  for (BinaryFunction function : kBinaries) {
    EXPECT_EQ(CheckGradients([&](const Inputs& x) { return function(x[0], x[0]); },
                             {TestValues({4}, 1, 2)}),
              "");
  }
}

TEST(ArithmeticOpsTest, UnaryGradients) {
  const Tensor values = TestValues({3, 5}, 0.5f, 2);
  EXPECT_EQ(CheckGradients([](const Inputs& x) { return -x[0]; }, {values}), "");
  EXPECT_EQ(CheckGradients([](const Inputs& x) { return Exp(x[0]); }, {values}), "");
  EXPECT_EQ(CheckGradients([](const Inputs& x) { return Log(x[0]); }, {values}), "");
  for (const float exponent : {3.0f, 2.0f, 1.0f, 0.0f, -1.0f, -2.0f, 0.5f, 1.7f}) {
    EXPECT_EQ(CheckGradients([&](const Inputs& x) { return Power(x[0], exponent); }, {values}), "")
        << exponent;
  }
}

TEST(ArithmeticOpsTest, PowerZeroHasNoGradientEvenAtZero) {
  const Variable x(Tensor::Zeros({2}), true);
  Sum(Power(x, 0)).Backward();
  EXPECT_EQ(x.grad().ToString(), "tensor([0, 0])");
}

// The gradient of a parameter that each example uses: the shard tree's sum.
TEST(ArithmeticOpsTest, RepeatedParametersFollowTheShardTree) {
  const std::vector<int64_t> cuts = {0, 2, 5, 7};
  const Tensor x = TestValues({7, 3}), upstream = TestValues({7, 3}, -1, 1, 5);
  for (const Shape& shape : {Shape{3}, Shape{}, Shape{1, 3}, Shape{1, 1}}) {
    const Variable whole(TestValues(shape), true);
    ShardCuts scope(cuts);
    (Variable(x) * whole).Backward(upstream);
    EXPECT_TRUE(scope.supported());
    std::vector<Tensor> shards;
    for (size_t i = 0; i + 1 < cuts.size(); ++i) {
      ShardCuts one({0, cuts[i + 1] - cuts[i]});
      const Variable part(whole.value(), true);
      (Variable(x.Rows(cuts[i], cuts[i + 1])) * part).Backward(upstream.Rows(cuts[i], cuts[i + 1]));
      shards.push_back(part.grad());
    }
    for (int64_t e = 0; e < whole.value().element_count(); ++e) {
      const float want =
          (shards[0].data<float>()[e] + shards[1].data<float>()[e]) + shards[2].data<float>()[e];
      EXPECT_EQ(whole.grad().data<float>()[e], want) << shape.ToString();
    }
  }
}

TEST(ArithmeticOpsTest, ARepeatOverAnotherFirstAxisIsNotShardAware) {
  ShardCuts scope({0, 2, 5});
  const Variable row(Tensor::Full({3}, 1), true);
  Variable(Tensor::Full({4, 3}, 1)) + row;
  EXPECT_FALSE(scope.supported());
}

TEST(ArithmeticOpsDeathTest, MisfitsNameBothShapes) {
  EXPECT_DEATH(Values({2}, {1, 2}) + Values({3}, {1, 2, 3}),
               "add: shapes \\[2\\] and \\[3\\] do not broadcast");
}

}  // namespace
}  // namespace lockstep::autograd
