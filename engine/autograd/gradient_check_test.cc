#include "engine/autograd/gradient_check.h"

#include "engine/autograd/arithmetic_ops.h"
#include "engine/autograd/node.h"
#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

using Inputs = std::vector<Variable>;

TEST(GradientCheckTest, AcceptsRightGradients) {
  EXPECT_EQ(CheckGradients([](const Inputs& x) { return Exp(x[0]) * x[1]; },
                           {TestValues({2, 2}), TestValues({2}, -1, 1, 1)}),
            "");
}

TEST(GradientCheckTest, NamesAWrongGradient) {
  // The value of x, with the gradient of 1.0001 x.
  const auto wrong = [](const Inputs& x) {
    return MakeResult("wrong", x[0].value(), {x[0]},
                      [](const Tensor& upstream, InputGradients& gradients) {
                        gradients.Add(0, (Variable(upstream) * 1.0001).value());
                      });
  };
  const std::string difference = CheckGradients(wrong, {TestValues({3})});
  EXPECT_NE(difference.find("input 0 element 0: got gradient"), std::string::npos) << difference;
}

TEST(GradientCheckTest, NamesAFloat32ResultThatDiffers) {
  const auto rough = [](const Inputs& x) {
    return x[0] * (x[0].dtype() == DType::kFloat32 ? 1.001 : 1);
  };
  const std::string difference = CheckGradients(rough, {TestValues({3})});
  EXPECT_NE(difference.find("result element 0: float32 gives"), std::string::npos) << difference;
}

TEST(GradientCheckTest, LeavesIndicesAlone) {
  const auto sum = [](const Inputs& x) {
    return x[0] * static_cast<double>(x[1].value().data<int64_t>()[0]);
  };
  EXPECT_EQ(
      CheckGradients(sum, {TestValues({3}), Tensor::FromVector({1}, std::vector<int64_t>{7})}), "");
}

TEST(GradientCheckTest, NamesAnInputWithoutGradient) {
  EXPECT_EQ(CheckGradients([](const Inputs& x) { return x[0] * x[1].Detach(); },
                           {TestValues({2}), TestValues({2})}),
            "input 1 got no gradient");
}

}  // namespace
}  // namespace lockstep::autograd
