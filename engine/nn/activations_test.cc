#include "engine/nn/activations.h"

#include "gtest/gtest.h"

namespace lockstep::nn {
namespace {

using autograd::Variable;

// Three arguments, two of them where the function bends.
std::string On(const Module& layer) {
  return layer.Forward(Variable(Tensor::FromVector({3}, std::vector<float>{-2, 1.5f, 8})))
      .value()
      .ToString();
}

TEST(ActivationsTest, DescribeThemselvesAsTorchDoes) {
  EXPECT_EQ(ReLU().Describe(), "ReLU()");
  EXPECT_EQ(Tanh().Describe(), "Tanh()");
  EXPECT_EQ(Sigmoid().Describe(), "Sigmoid()");
  EXPECT_EQ(LeakyReLU().Describe(), "LeakyReLU(negative_slope=0.01)");
  EXPECT_EQ(ELU().Describe(), "ELU(alpha=1.0)");
  EXPECT_EQ(ELU(1e-7).Describe(), "ELU(alpha=1e-07)");
  EXPECT_EQ(GELU().Describe(), "GELU(approximate='none')");
  EXPECT_EQ(GELU(GELU::Approximate::kTanh).Describe(), "GELU(approximate='tanh')");
  EXPECT_EQ(SiLU().Describe(), "SiLU()");
  EXPECT_EQ(Softplus().Describe(), "Softplus(beta=1.0, threshold=20.0)");
  EXPECT_EQ(Hardtanh().Describe(), "Hardtanh(min_val=-1.0, max_val=1.0)");
  EXPECT_EQ(ReLU6().Describe(), "ReLU6()");
}

TEST(ActivationsTest, UseTheirArguments) {
  EXPECT_EQ(On(LeakyReLU(0.25)), "tensor([-0.5, 1.5, 8])");
  EXPECT_EQ(On(ELU(0)), "tensor([-0, 1.5, 8])");
  EXPECT_EQ(On(Softplus(2, 1)), "tensor([0.00907496, 1.5, 8])");
  EXPECT_EQ(On(Hardtanh(-0.5, 4)), "tensor([-0.5, 1.5, 4])");
  EXPECT_EQ(On(ReLU6()), "tensor([0, 1.5, 6])");
  EXPECT_EQ(On(SiLU()), "tensor([-0.238406, 1.22636, 7.99732])");
  EXPECT_EQ(On(GELU()), "tensor([-0.0455003, 1.39979, 8])");
  EXPECT_EQ(On(GELU(GELU::Approximate::kTanh)), "tensor([-0.0454023, 1.39957, 8])");
}

TEST(ActivationsTest, KeepTheShapeAndShards) {
  EXPECT_EQ(*GELU().OutputShape({3, 4}), (Shape{3, 4}));
  EXPECT_TRUE(GELU().SupportsShardCuts());
}

}  // namespace
}  // namespace lockstep::nn
