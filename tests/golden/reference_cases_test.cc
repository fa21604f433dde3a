// What public engines' layers and optimizers compute, with their numbers, in
// float64. Expressions: engine/autograd/reference_cases_test.cc; the demos have
// tests of their own under examples/.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "engine/autograd/activation_ops.h"
#include "engine/autograd/arithmetic_ops.h"
#include "engine/nn/activations.h"
#include "engine/nn/linear.h"
#include "engine/nn/sequential.h"
#include "engine/optim/adam.h"
#include "engine/optim/gradient_descent.h"
#include "engine/optim/sgd.h"

namespace lockstep {
namespace {

using autograd::Variable;

// A parameter of 1 after each of the gradients 0.5, -1, 0.25.
template <class Optimizer>
std::vector<double> Parameters(const Optimizer& optimizer) {
  double parameter = 1;
  std::vector<std::vector<double>> state(optimizer.state_count(), std::vector<double>(1));
  std::vector<absl::Span<double>> spans(state.begin(), state.end());
  std::vector<double> parameters;
  optim::UpdateStep step;
  for (const double gradient : {0.5, -1.0, 0.25}) {
    const absl::Span<const double> sum(&gradient, 1), before(&parameter, 1);
    optimizer.Update(step, sum, before, spans, absl::Span<double>(&parameter, 1));
    parameters.push_back(parameter);
    ++step.step;
  }
  return parameters;
}

TEST(ReferenceCasesTest, SgdWithMomentum) {
  optim::SgdOptions options;
  options.learning_rate = 0.1;
  options.momentum = 0.9;
  const std::vector<double> got = Parameters(optim::Sgd(options));
  EXPECT_NEAR(got[0], 0.95, 1e-15);
  EXPECT_NEAR(got[1], 1.005, 1e-15);
  EXPECT_NEAR(got[2], 1.0295, 1e-15);
}

TEST(ReferenceCasesTest, Adam) {
  optim::AdamOptions options;
  options.learning_rate = 0.1;
  const std::vector<double> got = Parameters(optim::Adam(options));
  EXPECT_NEAR(got[0], 0.900000002, 5e-11);
  EXPECT_NEAR(got[1], 0.9366103542, 5e-11);
  EXPECT_NEAR(got[2], 0.9502794203, 5e-11);
}

TEST(ReferenceCasesTest, VanillaGradientDescentIsAFunction) {
  const Variable w(Tensor::Scalar(-0.5, DType::kFloat64), true);
  const Variable b(Tensor::Scalar(0.5, DType::kFloat64), true);
  const Variable unused(Tensor::Scalar(7, DType::kFloat64), true);
  const auto loss = [&] { return autograd::Power(autograd::Tanh(w * 1.0 + b) - 7.0, 2); };
  loss().Backward();
  optim::GradientDescent({w, b, unused}, 0.01);  // both gradients are -14
  EXPECT_DOUBLE_EQ(w.item(), -0.36);
  EXPECT_DOUBLE_EQ(b.item(), 0.64);
  EXPECT_EQ(unused.item(), 7);
  EXPECT_FALSE(w.grad().defined());
  EXPECT_LT(loss().item(), 49);
}

TEST(ReferenceCasesTest, ModulesNameTheirParametersAndPrintThemselves) {
  nn::Sequential model({std::make_shared<nn::Linear>(2, 16), std::make_shared<nn::ReLU>(),
                        std::make_shared<nn::Linear>(16, 1)});
  std::vector<std::string> names;
  for (const nn::NamedParameter& parameter : model.NamedParameters()) {
    names.push_back(parameter.name + " " + parameter.variable.shape().ToString());
  }
  EXPECT_EQ(names, (std::vector<std::string>{"0.weight [16, 2]", "0.bias [16]", "2.weight [1, 16]",
                                             "2.bias [1]"}));
  EXPECT_EQ(model.Describe(),
            "Sequential(\n"
            "  (0): Linear(in_features=2, out_features=16, bias=True)\n"
            "  (1): ReLU()\n"
            "  (2): Linear(in_features=16, out_features=1, bias=True)\n"
            ")");
}

TEST(ReferenceCasesTest, AModuleInFloat64HasTheSameValues) {
  nn::Linear layer(3, 2);
  layer.Initialize(5);
  const Tensor single = layer.NamedParameters()[0].variable.value();
  nn::ConvertParameters(layer, DType::kFloat64);
  const Tensor converted = layer.NamedParameters()[0].variable.value();
  ASSERT_EQ(converted.dtype(), DType::kFloat64);
  for (int64_t i = 0; i < single.element_count(); ++i) {
    EXPECT_EQ(converted.data<double>()[i], static_cast<double>(single.data<float>()[i]));
  }
  const Variable y = layer.Forward(Variable(Tensor::Full({1, 3}, 1, DType::kFloat64)));
  EXPECT_EQ(y.dtype(), DType::kFloat64);
}

}  // namespace
}  // namespace lockstep
