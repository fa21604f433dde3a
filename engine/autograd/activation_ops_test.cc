#include "engine/autograd/activation_ops.h"

#include "engine/autograd/gradient_check.h"
#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

using Inputs = std::vector<Variable>;

TEST(ActivationOpsTest, ReluKeepsThePositive) {
  const Variable x(Tensor::FromVector({4}, std::vector<float>{-1, 0, 0.5f, 2}), true);
  const Variable y = Relu(x);
  EXPECT_EQ(y.value().ToString(), "tensor([0, 0, 0.5, 2])");
  EXPECT_EQ(y.grad_fn(), "relu");
  y.Backward(Tensor::Full({4}, 3));
  EXPECT_EQ(x.grad().ToString(), "tensor([0, 0, 3, 3])");
}

TEST(ActivationOpsTest, Gradients) {
  const Tensor away_from_zero = Tensor::FromVector({4}, std::vector<float>{-1, -0.5f, 0.5f, 2});
  EXPECT_EQ(CheckGradients([](const Inputs& x) { return Relu(x[0]); }, {away_from_zero}), "");
  EXPECT_EQ(CheckGradients([](const Inputs& x) { return Tanh(x[0]); }, {TestValues({3, 4})}), "");
  EXPECT_EQ(CheckGradients([](const Inputs& x) { return Sigmoid(x[0]); }, {TestValues({3, 4})}),
            "");
}

TEST(ActivationOpsTest, EmptyBatches) {
  const Variable x(Tensor::Zeros({0, 3}), true);
  Relu(x).Backward(Tensor::Zeros({0, 3}));
  EXPECT_EQ(x.grad().shape(), (Shape{0, 3}));
}

}  // namespace
}  // namespace lockstep::autograd
