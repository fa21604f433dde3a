#include "engine/autograd/convolution_ops.h"

#include <cstring>
#include <vector>

#include "engine/autograd/activation_ops.h"
#include "engine/autograd/gradient_check.h"
#include "engine/autograd/shard_cuts.h"
#include "engine/kernels/optimizer_update.h"
#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

using Inputs = std::vector<Variable>;
using kernels::Activation;

bool SameBits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         std::memcmp(a.data<float>(), b.data<float>(), a.element_count() * sizeof(float)) == 0;
}

Tensor Numbers(const Shape& shape) {
  std::vector<float> values;
  for (int64_t i = 0; i < shape.element_count(); ++i) values.push_back(static_cast<float>(i));
  return Tensor::FromVector(shape, values);
}

// PyTorch 2.13: conv2d(arange(9).view(1, 1, 3, 3), arange(4).view(1, 1, 2, 2), tensor([0.5])).
TEST(ConvolutionOpsTest, CorrelatesWithoutTurningTheKernel) {
  const Variable x(Numbers({1, 1, 3, 3})), w(Numbers({1, 1, 2, 2}));
  const Variable b(Tensor::Full({1}, 0.5));
  EXPECT_EQ(Conv2d(x, w, b).value().ToString(), "tensor([[[[19.5, 25.5], [37.5, 43.5]]]])");
  ConvolutionOptions options;
  options.stride = {2, 2};
  options.padding = {1, 1};
  EXPECT_EQ(Conv2d(x, w, Variable(), options).value().ToString(), "tensor([[[[0, 8], [21, 43]]]])");
  EXPECT_EQ(
      Conv1d(Variable(Numbers({1, 1, 4})), Variable(Numbers({1, 1, 2})), b).value().ToString(),
      "tensor([[[1.5, 2.5, 3.5]]])");
}

TEST(ConvolutionOpsTest, GradientsAgreeWithDifferences) {
  const auto check = [](const ConvolutionOptions& options, const Shape& x, const Shape& w) {
    const auto function = [options](const Inputs& v) { return Conv2d(v[0], v[1], v[2], options); };
    return CheckGradients(function,
                          {TestValues(x), TestValues(w, -1, 1, 1), TestValues({w.dim(0)})});
  };
  EXPECT_EQ(check({}, {2, 2, 5, 4}, {3, 2, 3, 2}), "");
  EXPECT_EQ(check({{2, 1}, {1, 2}, {1, 2}, 1}, {2, 2, 6, 7}, {3, 2, 3, 3}), "");
  EXPECT_EQ(check({{2, 2}, {1, 1}, {1, 1}, 2}, {1, 4, 5, 6}, {6, 2, 3, 3}), "");
  EXPECT_EQ(CheckGradients([](const Inputs& v) { return Conv1d(v[0], v[1], Variable()); },
                           {TestValues({2, 2, 7}), TestValues({3, 2, 3}, -1, 1, 1)}),
            "");
}

TEST(ConvolutionOpsTest, FusedReluHasTheBitsOfRelu) {
  const Tensor x = TestValues({3, 2, 6, 6}), w = TestValues({4, 2, 3, 3}, -1, 1, 1);
  const Tensor b = TestValues({4}), upstream = TestValues({3, 4, 4, 4}, -1, 1, 3);
  const auto gradients = [&](bool fused) {
    const Variable vx(x, true), vw(w, true), vb(b, true);
    const Variable y = fused ? Conv2d(vx, vw, vb, {}, Activation::kRelu) : Relu(Conv2d(vx, vw, vb));
    y.Backward(upstream);
    return std::vector<Tensor>{y.value(), vx.grad(), vw.grad(), vb.grad()};
  };
  const std::vector<Tensor> fused = gradients(true), apart = gradients(false);
  for (size_t i = 0; i < fused.size(); ++i) EXPECT_TRUE(SameBits(fused[i], apart[i])) << i;
}

TEST(ConvolutionOpsTest, ABatchOfShardsGivesTheTreesSum) {
  const Tensor x = TestValues({9, 2, 6, 6}), w = TestValues({4, 2, 3, 3}, -1, 1, 1);
  const Tensor b = TestValues({4}), upstream = TestValues({9, 4, 4, 4}, -1, 1, 3);
  const auto run = [&](const std::vector<int64_t>& cuts) {
    std::vector<int64_t> relative = cuts;
    for (int64_t& cut : relative) cut -= cuts.front();
    ShardCuts scope(relative);
    const Variable vw(w, true), vb(b, true);
    const Variable y = Conv2d(Variable(x.Rows(cuts.front(), cuts.back())), vw, vb);
    y.Backward(upstream.Rows(cuts.front(), cuts.back()));
    EXPECT_TRUE(scope.supported());
    return std::vector<Tensor>{vw.grad(), vb.grad()};
  };
  const std::vector<Tensor> whole = run({0, 2, 2, 9});
  std::vector<Tensor> sum = run({0, 2});
  const std::vector<Tensor> second = run({2, 2}), third = run({2, 9});
  for (size_t i = 0; i < sum.size(); ++i) {
    kernels::AddInPlace(sum[i].span<float>(), second[i].span<float>());
    kernels::AddInPlace(sum[i].span<float>(), third[i].span<float>());
    EXPECT_TRUE(SameBits(whole[i], sum[i])) << i;
  }
}

TEST(ConvolutionOpsTest, AnEmptyBatchHasZeroGradients) {
  const Variable w(TestValues({3, 2, 3, 3}), true), b(TestValues({3}), true);
  Conv2d(Variable(Tensor::Zeros({0, 2, 5, 5})), w, b).Backward(Tensor::Zeros({0, 3, 3, 3}));
  EXPECT_TRUE(SameBits(w.grad(), Tensor::Zeros({3, 2, 3, 3})));
  EXPECT_TRUE(SameBits(b.grad(), Tensor::Zeros({3})));
}

TEST(ConvolutionOpsDeathTest, MisfitsNameTheShapes) {
  const Variable x(Tensor::Zeros({1, 3, 4, 4})), w(Tensor::Zeros({2, 2, 3, 3}));
  EXPECT_DEATH(Conv2d(x, w, Variable()),
               "input \\[1, 3, 4, 4\\] does not fit weight \\[2, 2, 3, 3\\]");
  EXPECT_DEATH(Conv2d(x, Variable(Tensor::Zeros({2, 3, 5, 3})), Variable()),
               "is larger than the padded input \\[1, 3, 4, 4\\]");
  EXPECT_DEATH(Conv1d(x, w, Variable()), "want three axes");
}

}  // namespace
}  // namespace lockstep::autograd
