#include "engine/autograd/math_ops.h"

#include <algorithm>
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

TEST(MathOpsTest, Values) {
  const Variable x = Values({3}, {0.25f, 4, 1});
  EXPECT_EQ(Abs(Values({3}, {-2, -0.0f, 3})).value().ToString(), "tensor([2, 0, 3])");
  EXPECT_EQ(Sqrt(x).value().ToString(), "tensor([0.5, 2, 1])");
  EXPECT_EQ(Rsqrt(x).value().ToString(), "tensor([2, 0.5, 1])");
  EXPECT_EQ(Sin(x).value().ToString(), "tensor([0.247404, -0.756802, 0.841471])");
  EXPECT_EQ(Cos(x).value().ToString(), "tensor([0.968912, -0.653644, 0.540302])");
  EXPECT_EQ(Erf(x).value().ToString(), "tensor([0.276326, 1, 0.842701])");
  EXPECT_EQ(Expm1(x).value().ToString(), "tensor([0.284025, 53.5982, 1.71828])");
  EXPECT_EQ(Log1p(x).value().ToString(), "tensor([0.223144, 1.60944, 0.693147])");
  EXPECT_EQ(Clamp(Values({3}, {-2, 0.5f, 9}), -1, 3).value().ToString(), "tensor([-1, 0.5, 3])");
  EXPECT_EQ(Clamp(Values({2}, {-2, 9}), 0).value().ToString(), "tensor([0, 9])");
  EXPECT_EQ(Sin(Variable(TestValues({2}), true)).grad_fn(), "sin");
}

TEST(MathOpsTest, Gradients) {
  const Tensor any = TestValues({3, 4}, -2, 2);
  const Tensor positive = TestValues({3, 4}, 0.5f, 3);
  for (Variable (*f)(const Variable&) : {Abs, Sin, Cos, Erf, Expm1}) {
    EXPECT_EQ(CheckGradients([=](const Inputs& x) { return f(x[0]); }, {any}), "");
  }
  for (Variable (*f)(const Variable&) : {Sqrt, Rsqrt, Log1p}) {
    EXPECT_EQ(CheckGradients([=](const Inputs& x) { return f(x[0]); }, {positive}), "");
  }
  EXPECT_EQ(CheckGradients([](const Inputs& x) { return Clamp(x[0], -0.7, 0.9); }, {any}), "");
}

TEST(MathOpsTest, GradientsWithTwoOperandsOfEveryBroadcast) {
  const std::vector<std::pair<Shape, Shape>> shapes = {
      {{2, 3}, {2, 3}}, {{2, 3}, {3}}, {{2, 1}, {2, 3}}, {{3}, {}}, {{2, 1, 2}, {3, 1}}};
  for (const auto& [a, b] : shapes) {
    const Tensor left = TestValues(a, 0.5f, 2), right = TestValues(b, 0.6f, 2.1f, 3);
    for (auto f : {Maximum, Minimum, Pow}) {
      EXPECT_EQ(CheckGradients([=](const Inputs& x) { return f(x[0], x[1]); }, {left, right}), "");
    }
  }
}

TEST(MathOpsTest, EqualOperandsShareTheGradient) {
  const Variable a = Values({3}, {1, 2, 3}, true), b = Values({3}, {2, 2, 2}, true);
  Maximum(a, b).Backward(Tensor::Full({3}, 1));
  EXPECT_EQ(a.grad().ToString(), "tensor([0, 0.5, 1])");
  EXPECT_EQ(b.grad().ToString(), "tensor([1, 0.5, 0])");
}

// As PyTorch 2.13 gives them (there NaN for the exponent of a negative base too).
TEST(MathOpsTest, PowOfZeroAndOfNegativeBases) {
  const Variable a = Values({4}, {2, 0, -2, 0.25f}, true), b = Values({4}, {3, 2, 2, -1.5f}, true);
  const Variable y = Pow(a, b);
  EXPECT_EQ(y.value().ToString(), "tensor([8, 0, 4, 8])");
  y.Backward(Tensor::Full({4}, 1));
  EXPECT_EQ(a.grad().ToString(), "tensor([12, 0, -4, -48])");
  EXPECT_NEAR(b.grad().data<float>()[0], 5.5452, 1e-4);
  EXPECT_EQ(b.grad().data<float>()[1], 0);
  EXPECT_TRUE(std::isnan(b.grad().data<float>()[2]));
  EXPECT_NEAR(b.grad().data<float>()[3], -11.0904, 1e-4);
}

// Broadcasting over whole, partial and repeated axes, against numbers copied out.
TEST(MathOpsTest, EveryLayoutOfOperandsGivesTheSameBits) {
  const std::vector<std::pair<Shape, Shape>> shapes = {
      {{4, 5, 40}, {4, 5, 40}}, {{4, 5, 40}, {40}},       {{4, 5, 40}, {5, 40}},
      {{4, 5, 40}, {4, 1, 1}},  {{4, 5, 40}, {4, 1, 40}}, {{4, 5, 40}, {5, 1}},
      {{5, 40}, {4, 1, 40}},    {{1, 5, 1}, {4, 1, 40}},  {{4, 5, 3}, {4, 1, 3}}};
  for (const auto& [a_shape, b_shape] : shapes) {
    const Tensor a = TestValues(a_shape), b = TestValues(b_shape, -1, 1, 1);
    const Tensor got = Maximum(Variable(a), Variable(b)).value();
    ASSERT_EQ(got.rank(), 3);
    const auto at = [&](const Tensor& x, int64_t i, int64_t j, int64_t k) {
      int64_t place = 0;
      const int64_t where[] = {i, j, k};
      for (int axis = 0; axis < x.rank(); ++axis) {
        const int64_t extent = x.dim(axis);
        place = place * extent + (extent == 1 ? 0 : where[3 - x.rank() + axis]);
      }
      return x.data<float>()[place];
    };
    for (int64_t i = 0; i < got.dim(0); ++i) {
      for (int64_t j = 0; j < got.dim(1); ++j) {
        for (int64_t k = 0; k < got.dim(2); ++k) {
          ASSERT_EQ(at(got, i, j, k), std::max(at(a, i, j, k), at(b, i, j, k)))
              << a_shape.ToString() << " " << b_shape.ToString();
        }
      }
    }
  }
}

TEST(MathOpsTest, ShardsAreSummedInTheirTree) {
  const Tensor batch = TestValues({7, 5}, 0.5f, 2);
  const Tensor weights = TestValues({5}, 0.5f, 2, 1);
  const auto gradient = [&](const Tensor& rows) {
    const Variable w(weights, true);
    Pow(Variable(rows), w).Backward(Tensor::Full(rows.shape(), 1));
    return w.grad();
  };
  const Tensor first = gradient(batch.Rows(0, 4)), second = gradient(batch.Rows(4, 7));
  ShardCuts scope({0, 4, 7});
  const Tensor whole = gradient(batch);
  EXPECT_TRUE(scope.supported());
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(whole.data<float>()[i], first.data<float>()[i] + second.data<float>()[i]);
  }
}

}  // namespace
}  // namespace lockstep::autograd
