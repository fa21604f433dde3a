#include "engine/autograd/channel_norm_ops.h"

#include <cstring>
#include <vector>

#include "engine/autograd/gradient_check.h"
#include "engine/autograd/shard_cuts.h"
#include "engine/kernels/optimizer_update.h"
#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

using Inputs = std::vector<Variable>;

bool SameBits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         std::memcmp(a.data<float>(), b.data<float>(), a.element_count() * sizeof(float)) == 0;
}

Variable Leaf(const Shape& shape, const std::vector<float>& values) {
  return Variable(Tensor::FromVector(shape, values), true);
}

TEST(ChannelNormOpsTest, BatchNormInTrainingByHand) {
  const Variable x = Leaf({2, 2}, {1, 10, 3, 30}), weight = Leaf({2}, {1, 2});
  const Variable bias = Leaf({2}, {0, 5}), mean = Leaf({2}, {7, 7}), var = Leaf({2}, {7, 7});
  const Variable y = BatchNorm(x, weight, bias, mean, var, /*training=*/true, /*epsilon=*/0);
  EXPECT_EQ(y.value().ToString(), "tensor([[-1, 3], [1, 7]])");
  y.Backward(Tensor::FromVector({2, 2}, std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(weight.grad().ToString(), "tensor([2, 2])");
  EXPECT_EQ(bias.grad().ToString(), "tensor([4, 6])");
  // 2 examples * means (2, 20) and * unbiased variances (2, 200).
  EXPECT_EQ(mean.grad().ToString(), "tensor([4, 40])");
  EXPECT_EQ(var.grad().ToString(), "tensor([4, 400])");
}

TEST(ChannelNormOpsTest, BatchNormInEvaluationUsesTheRunningStatistics) {
  const Variable x = Leaf({1, 2}, {5, 5}), mean = Leaf({2}, {1, 2}), var = Leaf({2}, {4, 9});
  const Variable y = BatchNorm(x, {}, {}, mean, var, /*training=*/false, /*epsilon=*/0);
  EXPECT_EQ(y.value().ToString(), "tensor([[2, 1]])");
  y.Backward(Tensor::Full({1, 2}, 6));
  EXPECT_EQ(x.grad().ToString(), "tensor([[3, 2]])");
  EXPECT_EQ(mean.grad().ToString(), "tensor([0, 0])");
  EXPECT_EQ(var.grad().ToString(), "tensor([0, 0])");
}

TEST(ChannelNormOpsTest, BatchNormGradients) {
  for (const Shape& shape : {Shape{5, 3}, Shape{3, 2, 4, 3}}) {
    const int64_t channels = shape.dim(1);
    const Tensor w = TestValues({channels}, 0.5f, 1.5f, 1), b = TestValues({channels}, -1, 1, 2);
    const Tensor mean = TestValues({channels}, -1, 1, 3), var = TestValues({channels}, 1, 2, 4);
    for (bool training : {true, false}) {
      const auto affine = [&](const Inputs& v) {
        const DType dtype = v[0].value().dtype();
        return BatchNorm(v[0], v[1], v[2], Variable(mean.To(dtype)), Variable(var.To(dtype)),
                         training);
      };
      EXPECT_EQ(CheckGradients(affine, {TestValues(shape), w, b}), "");
    }
  }
}

TEST(ChannelNormOpsTest, GroupNormGradients) {
  const Tensor w = TestValues({6}, 0.5f, 1.5f, 1), b = TestValues({6}, -1, 1, 2);
  for (int64_t groups : {1, 2, 6}) {
    const auto affine = [=](const Inputs& v) { return GroupNorm(v[0], groups, v[1], v[2]); };
    EXPECT_EQ(CheckGradients(affine, {TestValues({2, 6, 5}), w, b}), "");
    const auto plain = [=](const Inputs& v) { return GroupNorm(v[0], groups, {}, {}); };
    EXPECT_EQ(CheckGradients(plain, {TestValues({2, 6, 2, 2})}), "");
  }
}

TEST(ChannelNormOpsTest, EmptyBatches) {
  const Variable x(Tensor::Zeros({0, 2, 3}), true), w = Leaf({2}, {1, 1}), b = Leaf({2}, {0, 0});
  const Variable mean = Leaf({2}, {0, 0}), var = Leaf({2}, {1, 1});
  BatchNorm(x, w, b, mean, var, true).Backward(Tensor::Zeros({0, 2, 3}));
  GroupNorm(x, 2, w, b).Backward(Tensor::Zeros({0, 2, 3}));
  EXPECT_EQ(w.grad().ToString(), "tensor([0, 0])");
  EXPECT_EQ(mean.grad().ToString(), "tensor([0, 0])");
}

// Result and gradients of examples [begin, end) of 7, by batch or group norm.
std::vector<Tensor> Outcome(int64_t begin, int64_t end, bool batch) {
  const Variable x(TestValues({7, 4, 3}).Rows(begin, end).Clone(), true);
  const Variable w(TestValues({4}, 0.5f, 1.5f, 1), true), b(TestValues({4}), true);
  const Variable mean(Tensor::Zeros({4}), true), var(Tensor::Full({4}, 1), true);
  const Variable y =
      batch ? BatchNorm(x, w, b, mean, var, /*training=*/true) : GroupNorm(x, 2, w, b);
  y.Backward(TestValues({7, 4, 3}, -1, 1, 3).Rows(begin, end));
  std::vector<Tensor> outcome = {y.value(), x.grad(), w.grad(), b.grad()};
  if (batch) outcome.insert(outcome.end(), {mean.grad(), var.grad()});
  return outcome;
}

TEST(ChannelNormOpsTest, ShardCutsGiveTheTreeOfShardAfterShard) {
  for (bool batch : {true, false}) {
    std::vector<Tensor> whole;
    {
      ShardCuts scope({0, 3, 3, 4, 7});
      whole = Outcome(0, 7, batch);
      EXPECT_TRUE(scope.supported());
    }
    std::vector<Tensor> first = Outcome(0, 3, batch), second = Outcome(3, 4, batch);
    const std::vector<Tensor> third = Outcome(4, 7, batch);
    for (size_t i = 0; i < 2; ++i) {
      EXPECT_TRUE(SameBits(whole[i].Rows(0, 3), first[i]));
      EXPECT_TRUE(SameBits(whole[i].Rows(3, 4), second[i]));
      EXPECT_TRUE(SameBits(whole[i].Rows(4, 7), third[i]));
    }
    for (size_t i = 2; i < whole.size(); ++i) {
      kernels::AddInPlace(second[i].span<float>(), third[i].span<float>());
      kernels::AddInPlace(first[i].span<float>(), second[i].span<float>());
      EXPECT_TRUE(SameBits(whole[i], first[i])) << i;
    }
  }
}

TEST(ChannelNormOpsDeathTest, MisfitsNameBothShapes) {
  const Variable x(Tensor::Zeros({2, 3})), two(Tensor::Zeros({2}));
  EXPECT_DEATH(BatchNorm(x, two, {}, {}, {}, true),
               "batch_norm: got a parameter of shape \\[2\\], want \\[3\\]");
  EXPECT_DEATH(GroupNorm(x, 2, {}, {}), "2 groups do not divide the channels of \\[2, 3\\]");
  EXPECT_DEATH(GroupNorm(two, 2, {}, {}), "want \\[n, channels, ...\\]");
}

}  // namespace
}  // namespace lockstep::autograd
