#include "engine/autograd/shape_ops.h"

#include "engine/autograd/arithmetic_ops.h"
#include "engine/autograd/gradient_check.h"
#include "engine/autograd/shard_cuts.h"
#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

using Inputs = std::vector<Variable>;

Tensor Numbers(Shape shape) {
  std::vector<float> values;
  for (int64_t i = 0; i < shape.element_count(); ++i) values.push_back(static_cast<float>(i));
  return Tensor::FromVector(std::move(shape), values);
}

TEST(ShapeOpsTest, ReshapeSharesElementsAndCompletesAnExtent) {
  const Variable x(Numbers({2, 6}));
  EXPECT_EQ(Reshape(x, {3, -1}).shape(), (Shape{3, 4}));
  EXPECT_TRUE(Reshape(x, {12}).value().SharesElementsWith(x.value()));
  EXPECT_DEATH(Reshape(x, {5}), "cannot reshape \\[2, 6\\] to \\[5\\]");
}

TEST(ShapeOpsTest, FlattenKeepsTheExamples) {
  EXPECT_EQ(Flatten(Variable(Numbers({2, 3, 4}))).shape(), (Shape{2, 12}));
  EXPECT_EQ(Flatten(Variable(Numbers({0, 3, 4}))).shape(), (Shape{0, 12}));
  EXPECT_EQ(Flatten(Variable(Numbers({5}))).shape(), (Shape{5, 1}));
}

TEST(ShapeOpsTest, TransposeExchangesTwoAxes) {
  EXPECT_EQ(Transpose(Variable(Numbers({2, 3}))).value().ToString(),
            "tensor([[0, 3], [1, 4], [2, 5]])");
  const Tensor swapped = Transpose(Variable(Numbers({2, 3, 2})), 0, -1).value();
  EXPECT_EQ(swapped.ToString(), "tensor([[[0, 6], [2, 8], [4, 10]], [[1, 7], [3, 9], [5, 11]]])");
  EXPECT_EQ(Transpose(Variable(Numbers({2, 3, 4})), 0, 1).shape(), (Shape{3, 2, 4}));
  EXPECT_DEATH(Transpose(Variable(Numbers({2, 3})), 0, 2), "shape \\[2, 3\\] has no axis 2");
}

TEST(ShapeOpsTest, PermuteReordersAllAxes) {
  const Variable x(Numbers({2, 3, 2}));
  const Variable y = Permute(x, {2, 0, 1});
  EXPECT_EQ(y.value().ToString(), "tensor([[[0, 2, 4], [6, 8, 10]], [[1, 3, 5], [7, 9, 11]]])");
  EXPECT_EQ(Permute(y, {1, 2, -3}).value().ToString(), x.value().ToString());
  EXPECT_EQ(
      PermuteTensor(Tensor::FromVector({1, 2}, std::vector<int64_t>{7, 8}), {1, 0}).ToString(),
      "tensor([[7], [8]])");
  EXPECT_DEATH(Permute(x, {0, 1}),
               "got 2 axes for shape \\[2, 3, 2\\], want each of its axes once");
  EXPECT_DEATH(Permute(x, {0, 1, 1}), "named twice");
}

TEST(ShapeOpsTest, SqueezeAndUnsqueezeMoveAnAxisOfOne) {
  const Variable x(Numbers({2, 1, 3}));
  EXPECT_EQ(Squeeze(x, 1).shape(), (Shape{2, 3}));
  EXPECT_EQ(Squeeze(x, -2).shape(), (Shape{2, 3}));
  EXPECT_TRUE(Squeeze(x, 1).value().SharesElementsWith(x.value()));
  EXPECT_EQ(Unsqueeze(x, 0).shape(), (Shape{1, 2, 1, 3}));
  EXPECT_EQ(Unsqueeze(x, -1).shape(), (Shape{2, 1, 3, 1}));
  EXPECT_EQ(Unsqueeze(Variable(1.0f), 0).shape(), (Shape{1}));
  EXPECT_DEATH(Squeeze(x, 0), "axis 0 of shape \\[2, 1, 3\\] has not extent 1");
  EXPECT_DEATH(Unsqueeze(x, 4), "shape \\[2, 1, 3\\] has no place 4");
}

TEST(ShapeOpsTest, MovingTheBatchAxisMixesShards) {
  ShardCuts scope({0, 1, 2});
  const Variable x(Numbers({2, 3, 4})), weight(Numbers({5, 3}));
  Transpose(x, 1, 2);
  Transpose(weight);
  Permute(x, {0, 2, 1});
  EXPECT_TRUE(scope.supported());
  {
    ShardCuts inner({0, 1, 2});
    Permute(x, {1, 0, 2});
    EXPECT_FALSE(inner.supported());
  }
  Transpose(x, 0, 1);
  EXPECT_FALSE(scope.supported());
}

TEST(ShapeOpsTest, ExpandRepeats) {
  EXPECT_EQ(ExpandTensor(Numbers({2, 1}), {2, 3}).ToString(), "tensor([[0, 0, 0], [1, 1, 1]])");
  EXPECT_EQ(ExpandTensor(Numbers({2}), {2, 2}).ToString(), "tensor([[0, 1], [0, 1]])");
  EXPECT_EQ(ExpandTensor(Tensor::Scalar(4), {2}).ToString(), "tensor([4, 4])");
  EXPECT_DEATH(ExpandTensor(Numbers({3}), {2}), "\\[3\\] and \\[2\\] do not broadcast");
}

TEST(ShapeOpsTest, GradientsFollowTheElements) {
  EXPECT_EQ(CheckGradients([](const Inputs& x) { return Reshape(x[0], {6}) * x[1]; },
                           {TestValues({2, 3}), TestValues({6}, 1, 2)}),
            "");
  EXPECT_EQ(CheckGradients([](const Inputs& x) { return Transpose(x[0], 0, 2) * x[1]; },
                           {TestValues({2, 3, 4}), TestValues({4, 3, 2}, 1, 2)}),
            "");
  EXPECT_EQ(CheckGradients(
                [](const Inputs& x) {
                  return Permute(x[0], {1, 2, 0}) * x[1];
                },
                {TestValues({2, 3, 4}), TestValues({3, 4, 2}, 1, 2)}),
            "");
  EXPECT_EQ(CheckGradients([](const Inputs& x) { return Squeeze(Unsqueeze(x[0], 1) * x[1], 1); },
                           {TestValues({2, 3}), TestValues({1, 3}, 1, 2)}),
            "");
}

}  // namespace
}  // namespace lockstep::autograd
