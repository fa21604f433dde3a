#include "engine/autograd/pooling_ops.h"

#include <vector>

#include "engine/autograd/gradient_check.h"
#include "engine/autograd/shard_cuts.h"
#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

using Inputs = std::vector<Variable>;

Variable Numbers(const Shape& shape) {
  std::vector<float> values;
  for (int64_t i = 0; i < shape.element_count(); ++i) values.push_back(static_cast<float>(i));
  return Variable(Tensor::FromVector(shape, values));
}

PoolingOptions Square(int64_t kernel, int64_t stride, int64_t padding = 0) {
  return {{kernel, kernel}, {stride, stride}, {padding, padding}};
}

// Values from PyTorch 2.13.
TEST(PoolingOpsTest, ValuesAreThoseOfTorch) {
  const Variable x = Numbers({1, 1, 4, 4});
  EXPECT_EQ(MaxPool2d(x, Square(2, 2)).value().ToString(), "tensor([[[[5, 7], [13, 15]]]])");
  EXPECT_EQ(AvgPool2d(x, Square(2, 2)).value().ToString(),
            "tensor([[[[2.5, 4.5], [10.5, 12.5]]]])");
  EXPECT_EQ(AvgPool2d(x, Square(2, 2, 1)).value().ToString(),
            "tensor([[[[0, 0.75, 0.75], [3, 7.5, 4.5], [3, 6.75, 3.75]]]])");
  PoolingOptions inside = Square(2, 2, 1);
  inside.count_padding = false;
  EXPECT_EQ(AvgPool2d(x, inside).value().ToString(),
            "tensor([[[[0, 1.5, 3], [6, 7.5, 9], [12, 13.5, 15]]]])");
  EXPECT_EQ(AdaptiveAvgPool2d(x, {1, 1}).value().ToString(), "tensor([[[[7.5]]]])");
  EXPECT_EQ(AdaptiveAvgPool2d(x, {2, 3}).value().ToString(),
            "tensor([[[[2.5, 3.5, 4.5], [10.5, 11.5, 12.5]]]])");
}

TEST(PoolingOpsTest, OneDimensionalPoolingIsOverTheLastAxis) {
  const Variable x = Numbers({1, 2, 4});
  EXPECT_EQ(MaxPool1d(x, Square(2, 2)).value().ToString(), "tensor([[[1, 3], [5, 7]]])");
  EXPECT_EQ(AvgPool1d(x, Square(2, 1)).value().ToString(),
            "tensor([[[0.5, 1.5, 2.5], [4.5, 5.5, 6.5]]])");
  EXPECT_EQ(AdaptiveAvgPool1d(x, 1).value().ToString(), "tensor([[[1.5], [5.5]]])");
  EXPECT_EQ(AdaptiveMaxPool1d(x, 1).value().ToString(), "tensor([[[3], [7]]])");
}

TEST(PoolingOpsTest, GradientsAgreeWithDifferences) {
  const Tensor x = TestValues({2, 2, 6, 7});
  for (const PoolingOptions& options : {Square(2, 2), Square(3, 2, 1), Square(3, 1)}) {
    EXPECT_EQ(CheckGradients([&](const Inputs& v) { return MaxPool2d(v[0], options); }, {x}), "");
    EXPECT_EQ(CheckGradients([&](const Inputs& v) { return AvgPool2d(v[0], options); }, {x}), "");
  }
  EXPECT_EQ(CheckGradients(
                [](const Inputs& v) {
                  return AdaptiveAvgPool2d(v[0], {4, 1});
                },
                {x}),
            "");
  EXPECT_EQ(CheckGradients(
                [](const Inputs& v) {
                  return AdaptiveAvgPool2d(v[0], {1, 1});
                },
                {x}),
            "");
}

TEST(PoolingOpsTest, ExamplesStayApart) {
  ShardCuts scope({0, 1, 2});
  MaxPool2d(Variable(TestValues({2, 2, 4, 4}), true), Square(2, 2));
  EXPECT_TRUE(scope.supported());
}

TEST(PoolingOpsDeathTest, MisfitsNameTheShapes) {
  const Variable x = Numbers({1, 2, 3, 3});
  EXPECT_DEATH(MaxPool2d(x, Square(4, 1)), "larger than the padded input \\[1, 2, 3, 3\\]");
  EXPECT_DEATH(MaxPool1d(x, Square(2, 2)), "got shape \\[1, 2, 3, 3\\], want 3 axes");
  EXPECT_DEATH(AvgPool2d(x, Square(2, 2, 2)), "padding of at most half the kernel");
}

}  // namespace
}  // namespace lockstep::autograd
