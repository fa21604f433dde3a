#include "engine/autograd/slice_ops.h"

#include <functional>
#include <vector>

#include "engine/autograd/arithmetic_ops.h"
#include "engine/autograd/grad.h"
#include "engine/autograd/gradient_check.h"
#include "engine/autograd/reduction_ops.h"
#include "engine/autograd/shard_cuts.h"
#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

using Inputs = std::vector<Variable>;

// 0, 1, 2, ...
Variable Numbers(Shape shape) {
  std::vector<float> values;
  for (int64_t i = 0; i < shape.element_count(); ++i) values.push_back(static_cast<float>(i));
  return Variable(Tensor::FromVector(std::move(shape), values), true);
}

TEST(SliceOpsTest, SliceCountsAsPythonDoes) {
  const Variable x = Numbers({6});
  EXPECT_EQ(Slice(x, 0, 1, 4).value().ToString(), "tensor([1, 2, 3])");
  EXPECT_EQ(Slice(x, 0, -2, 100).value().ToString(), "tensor([4, 5])");
  EXPECT_EQ(Slice(x, -1, 0, -1, 2).value().ToString(), "tensor([0, 2, 4])");
  EXPECT_EQ(Slice(x, 0, 5, 2).shape(), (Shape{0}));
  EXPECT_EQ(Slice(x, 0, -100, 6, 5).value().ToString(), "tensor([0, 5])");
  EXPECT_EQ(Slice(Numbers({2, 3}), 1, 1, 3).value().ToString(), "tensor([[1, 2], [4, 5]])");
}

TEST(SliceOpsTest, ASlicesGradientIsZeroElsewhere) {
  const Variable x = Numbers({2, 3});
  Slice(x, 1, 0, 3, 2).Backward(Tensor::FromVector({2, 2}, std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(x.grad().ToString(), "tensor([[1, 0, 2], [3, 0, 4]])");
}

TEST(SliceOpsTest, SelectTakesAnAxisAway) {
  const Variable x = Numbers({2, 3});
  EXPECT_EQ(Select(x, 1, -1).value().ToString(), "tensor([2, 5])");
  EXPECT_EQ(Select(x, 0, 1).value().ToString(), "tensor([3, 4, 5])");
}

TEST(SliceOpsTest, SplitAndConcatAreEachOthersReverse) {
  const Variable x = Numbers({2, 7});
  const std::vector<Variable> thirds = Split(x, 3, 1);
  ASSERT_EQ(thirds.size(), 3u);
  EXPECT_EQ(thirds[2].value().ToString(), "tensor([[6], [13]])");
  EXPECT_EQ(Concat(thirds, 1).value().ToString(), x.value().ToString());
  const std::vector<Variable> parts = Split(x, {1, 0, 6}, -1);
  EXPECT_EQ(parts[1].shape(), (Shape{2, 0}));
  EXPECT_EQ(Concat(parts, -1).value().ToString(), x.value().ToString());
}

TEST(SliceOpsTest, StackMakesAnAxis) {
  const Variable a = Numbers({2}), b = a * 10.0f;
  EXPECT_EQ(Stack({a, b}).value().ToString(), "tensor([[0, 1], [0, 10]])");
  EXPECT_EQ(Stack({a, b}, -1).value().ToString(), "tensor([[0, 0], [1, 10]])");
}

TEST(SliceOpsTest, PadSurroundsTheLastAxes) {
  const Variable x = Numbers({1, 2});
  EXPECT_EQ(Pad(x, {{1, 2}}, 7).value().ToString(), "tensor([[7, 0, 1, 7, 7]])");
  EXPECT_EQ(Pad(x, {{0, 1}, {1, 0}}).value().ToString(), "tensor([[0, 0, 1], [0, 0, 0]])");
  EXPECT_EQ(Pad(x, {}).value().ToString(), "tensor([[0, 1]])");
}

using Function = std::function<Variable(const Inputs& inputs)>;

// First and second order.
void ExpectGradients(const Function& function, const std::vector<Tensor>& inputs) {
  EXPECT_EQ(CheckGradients(function, inputs), "");
  const auto slopes = [&](const Inputs& given) {
    Inputs leaves;  // the numerical differences come without requires_grad
    for (const Variable& input : given) {
      leaves.push_back(input.requires_grad() ? input : Variable(input.value(), true));
    }
    GradOptions options;
    options.create_graph = true;
    const Variable y = function(leaves);
    Variable sum = ScalarLike(0, y);
    for (const Variable& gradient : Grad({Sum(y * y * y)}, leaves, options)) {
      sum = sum + Sum(gradient * gradient);
    }
    return sum;
  };
  EXPECT_EQ(CheckGradients(slopes, inputs), "");
}

TEST(SliceOpsTest, GradientsOfFirstAndSecondOrder) {
  const Tensor x = TestValues({3, 4, 2}), y = TestValues({3, 1, 2}, -1, 1, 1);
  ExpectGradients([](const Inputs& v) { return Slice(v[0], 1, -3, -1); }, {x});
  ExpectGradients([](const Inputs& v) { return Slice(v[0], 0, 0, 3, 2); }, {x});
  ExpectGradients([](const Inputs& v) { return Select(v[0], 1, 2); }, {x});
  ExpectGradients(
      [](const Inputs& v) {
        return Split(v[0], 3, 1)[0] * Split(v[0], {1, 3}, 1)[1];
      },
      {x});
  ExpectGradients([](const Inputs& v) { return Concat({v[0], v[1], v[0]}, 1); }, {x, y});
  ExpectGradients(
      [](const Inputs& v) {
        return Stack({v[0], v[1], v[0]}, -2);
      },
      {y, TestValues({3, 1, 2}, -1, 1, 2)});
  ExpectGradients([](const Inputs& v) { return Pad(v[0], {{1, 0}, {0, 0}, {2, 1}}, 0.5); }, {x});
}

TEST(SliceOpsTest, OnlyAChangedBatchAxisMixesShards) {
  ShardCuts scope({0, 1, 3});
  const Variable x(TestValues({3, 4}), true), parameter(TestValues({8, 4}), true);
  Slice(x, 1, 0, 2);
  Slice(x, 0, 0, 3);
  Split(parameter, 4, 0);
  Concat({x, x}, 1);
  Stack({x, x}, 1);
  Pad(x, {{1, 1}});
  EXPECT_TRUE(scope.supported());
  const std::vector<std::function<void()>> mixing = {
      [&] { Slice(x, 0, 0, 2); }, [&] { Select(x, 0, 1); },          [&] { Concat({x, x}, 0); },
      [&] { Stack({x, x}, 0); },  [&] { Pad(x, {{1, 0}, {0, 0}}); }, [&] { Split(x, 1, 0); },
  };
  for (size_t i = 0; i < mixing.size(); ++i) {
    ShardCuts inner({0, 1, 3});
    mixing[i]();
    EXPECT_FALSE(inner.supported()) << i;
  }
}

TEST(SliceOpsDeathTest, MisuseIsExplained) {
  const Variable x(Tensor::Zeros({2, 3}));
  EXPECT_DEATH(Slice(x, 2, 0, 1), "slice: shape \\[2, 3\\] has no axis 2");
  EXPECT_DEATH(Slice(x, 0, 0, 1, 0), "slice: got step 0, want at least 1");
  EXPECT_DEATH(Select(x, 1, 3), "select: axis 1 of shape \\[2, 3\\] has no index 3");
  EXPECT_DEATH(Split(x, {1, 1}, 1), "extents add up to 2, want axis 1 of shape \\[2, 3\\]");
  EXPECT_DEATH(Concat({x, Variable(Tensor::Zeros({3, 2}))}, 0),
               "shapes \\[2, 3\\] and \\[3, 2\\] differ beside axis 0");
  EXPECT_DEATH(Stack({x, Variable(Tensor::Zeros({2, 2}))}), "stack: shapes .* differ");
  EXPECT_DEATH(Pad(x, {{-1, 0}}), "pad: got -1 before");
  EXPECT_DEATH(Pad(x, {{1, 0}, {1, 0}, {1, 0}}), "pad: got 3 axes' padding for shape");
}

}  // namespace
}  // namespace lockstep::autograd
