#include "engine/autograd/grad.h"

#include <cmath>
#include <functional>
#include <utility>
#include <vector>

#include "engine/autograd/activation_ops.h"
#include "engine/autograd/arithmetic_ops.h"
#include "engine/autograd/comparison_ops.h"
#include "engine/autograd/expand_ops.h"
#include "engine/autograd/grad_mode.h"
#include "engine/autograd/gradient_check.h"
#include "engine/autograd/linear_ops.h"
#include "engine/autograd/loss_ops.h"
#include "engine/autograd/math_ops.h"
#include "engine/autograd/reduction_ops.h"
#include "engine/autograd/shape_ops.h"
#include "engine/autograd/softmax_ops.h"
#include "engine/autograd/statistics_ops.h"
#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

using Inputs = std::vector<Variable>;
using Function = std::function<Variable(const Inputs& inputs)>;

Variable Leaf(double value) { return Variable(Tensor::Scalar(value, DType::kFloat64), true); }

GradOptions CreateGraph() {
  GradOptions options;
  options.create_graph = true;
  return options;
}

TEST(GradTest, GivesGradientsAndLeavesTheLeavesAlone) {
  const Variable x = Leaf(3), y = Leaf(5);
  const std::vector<Variable> gradients = Grad({x * x * y}, {y, x});
  EXPECT_EQ(gradients[0].item(), 9);
  EXPECT_EQ(gradients[1].item(), 30);
  EXPECT_FALSE(gradients[0].requires_grad());
  EXPECT_FALSE(x.grad().defined());
}

TEST(GradTest, OfAResultInTheMiddleAndOfWhatIsUnderIt) {
  const Variable x = Leaf(3);
  const Variable y = x * 2;
  const std::vector<Variable> gradients = Grad({y * y}, {y, x});
  EXPECT_EQ(gradients[0].item(), 12);
  EXPECT_EQ(gradients[1].item(), 24);
}

TEST(GradTest, SumsOverTheOutputsWithTheirFactors) {
  const Variable x(TestValues({2}), true);
  GradOptions options;
  options.grad_outputs = {Variable(Tensor::Full({2}, 10)), Variable()};
  const Variable gradient = Grad({x * 2, Sum(x * 3)}, {x}, options)[0];
  EXPECT_EQ(gradient.value().ToString(), "tensor([23, 23])");
}

TEST(GradTest, ComputesOnlyWhatLeadsToTheInputs) {
  const Variable x = Leaf(3), other = Leaf(2);
  const Variable aside = other * other;
  const Variable y = x * aside;
  EXPECT_EQ(Grad({y}, {x})[0].item(), 4);
  aside.Backward();  // was not gone through, so nothing of it was freed
  EXPECT_EQ(other.grad().item(), 4);
}

TEST(GradTest, UnusedInputsAreAllowedOnRequest) {
  const Variable x = Leaf(3), unused = Leaf(2);
  GradOptions options;
  options.allow_unused = true;
  const std::vector<Variable> gradients = Grad({x * x}, {unused, x}, options);
  EXPECT_FALSE(gradients[0].defined());
  EXPECT_EQ(gradients[1].item(), 6);
}

TEST(GradTest, TheGraphIsFreedUnlessRetained) {
  const Variable x = Leaf(3);
  const Variable y = x * x;
  GradOptions retain;
  retain.retain_graph = true;
  EXPECT_EQ(Grad({y}, {x}, retain)[0].item(), 6);
  EXPECT_EQ(Grad({y}, {x})[0].item(), 6);
  EXPECT_DEATH(Grad({y}, {x}), "second time through multiply");
}

TEST(GradTest, HooksSeeAndReplaceGradients) {
  const Variable x = Leaf(3);
  Variable y = x * 2;
  y.RegisterHook([](const Tensor& gradient) { return (Variable(gradient) * 10).value(); });
  EXPECT_EQ(Grad({y * y}, {x})[0].item(), 240);
}

TEST(GradTest, DerivativesOfAnyOrder) {
  const Variable x = Leaf(2);
  Variable y = Power(x, 4);
  for (const double want : {32.0, 48.0, 48.0, 24.0, 0.0}) {
    y = Grad({y}, {x}, CreateGraph())[0];
    EXPECT_EQ(y.item(), want);
  }
}

TEST(GradTest, AGradientPenaltyTrainsThroughTheGradient) {
  const Variable w = Leaf(3), x = Leaf(0.5);
  const Variable slope = Grad({Tanh(w * x)}, {x}, CreateGraph())[0];  // w (1 - tanh^2(w x))
  (slope * slope).Backward();
  const double t = std::tanh(1.5), s = 3 * (1 - t * t);
  EXPECT_NEAR(w.grad().item(), 2 * s * ((1 - t * t) - 3 * 2 * t * (1 - t * t) * 0.5), 1e-12);
}

// The gradients of all inputs, weighted and summed to one number: its gradient
// is a product with the second derivatives.
Variable SumOfGradients(const Function& function, const Inputs& inputs) {
  const Variable y = function(inputs);
  const Variable weights(TestValues(y.shape(), 0.5f, 2, 7).To(y.dtype()));
  Variable sum = ScalarLike(0, y);
  int salt = 11;
  for (const Variable& gradient : Grad({Sum(y * weights)}, inputs, CreateGraph())) {
    const Variable factor(TestValues(gradient.shape(), 0.5f, 2, ++salt).To(y.dtype()));
    sum = sum + Sum(gradient * factor);
  }
  return sum;
}

std::string CheckSecondOrder(const Function& function, const std::vector<Tensor>& inputs) {
  const auto with_gradients = [&](const Inputs& given) {
    Inputs leaves;  // the numerical differences come without requires_grad
    for (const Variable& input : given) {
      leaves.push_back(input.requires_grad() ? input : Variable(input.value(), true));
    }
    return SumOfGradients(function, leaves);
  };
  return CheckGradients(with_gradients, inputs);
}

struct Case {
  const char* name;
  Function function;
  std::vector<Tensor> inputs;
};

std::vector<Case> ElementwiseCases() {
  const Tensor a = TestValues({2, 3}, 0.5f, 1.5f, 1), b = TestValues({2, 3}, 0.5f, 1.5f, 2);
  const Tensor row = TestValues({3}, 0.5f, 1.5f, 3);
  const Tensor signs = Tensor::FromVector({2, 2}, std::vector<float>{-1, 0.5f, 2, -0.25f});
  return {
      {"add", [](const Inputs& x) { return (x[0] + x[1]) * x[0]; }, {a, row}},
      {"subtract", [](const Inputs& x) { return (x[1] - x[0]) * x[0]; }, {a, row}},
      {"multiply", [](const Inputs& x) { return x[0] * x[1] * x[1]; }, {a, row}},
      {"divide", [](const Inputs& x) { return x[0] / x[1]; }, {a, row}},
      {"negate", [](const Inputs& x) { return -x[0] * x[0]; }, {a}},
      {"power", [](const Inputs& x) { return Power(x[0], 3) + Power(x[0], 0.5); }, {a}},
      {"exp", [](const Inputs& x) { return Exp(x[0] * x[1]); }, {a, b}},
      {"log", [](const Inputs& x) { return Log(x[0] * x[1]) * x[0]; }, {a, b}},
      {"sin", [](const Inputs& x) { return Sin(x[0] * x[0]); }, {a}},
      {"cos", [](const Inputs& x) { return Cos(x[0] * x[0]); }, {a}},
      {"tanh", [](const Inputs& x) { return Tanh(x[0] * x[0]); }, {a}},
      {"sigmoid", [](const Inputs& x) { return Sigmoid(x[0] * x[0]); }, {a}},
      {"relu", [](const Inputs& x) { return Relu(x[0]) * x[0] * x[0]; }, {signs}},
      {"abs", [](const Inputs& x) { return Abs(x[0]) * x[0] * x[0]; }, {signs}},
      {"sqrt", [](const Inputs& x) { return Sqrt(x[0] * x[1]); }, {a, b}},
      {"rsqrt", [](const Inputs& x) { return Rsqrt(x[0] * x[1]); }, {a, b}},
      {"erf", [](const Inputs& x) { return Erf(x[0] * x[1]); }, {a, b}},
      {"expm1", [](const Inputs& x) { return Expm1(x[0] * x[1]); }, {a, b}},
      {"log1p", [](const Inputs& x) { return Log1p(x[0] * x[1]); }, {a, b}},
      {"where",
       [](const Inputs& x) {
         return Where(Greater(x[0], ScalarLike(0, x[0])), x[0] * x[0], x[0] * x[0] * x[0]);
       },
       {signs}},
  };
}

std::vector<Case> OtherCases() {
  const Tensor a = TestValues({2, 3}, 0.5f, 1.5f, 1), b = TestValues({2, 3}, 0.5f, 1.5f, 2);
  const Tensor row = TestValues({3}, 0.5f, 1.5f, 3);
  const Tensor w = TestValues({4, 3}, -1, 1, 4), bias = TestValues({4}, -1, 1, 5);
  const auto flat_linear = [](const Inputs& x) {
    return Tanh(Linear(Reshape(x[0], {2, 1, 3}), x[1], Variable()));
  };
  const auto fused = [](const Inputs& x) {
    const Variable y = Linear(x[0], x[1], x[2], kernels::Activation::kRelu);
    return y * y;
  };
  return {
      {"softmax", [](const Inputs& x) { return Softmax(x[0] * x[1], -1, 0.5f); }, {a, b}},
      {"log_softmax", [](const Inputs& x) { return LogSoftmax(x[0] * x[1], 0); }, {a, b}},
      {"logsumexp", [](const Inputs& x) { return LogSumExp(x[0] * x[1]); }, {a, b}},
      {"var", [](const Inputs& x) { return Var(x[0], {1}) * Std(x[0]); }, {a}},
      {"sum", [](const Inputs& x) { return Sum(x[0] * x[0]) * Sum(x[0], 1); }, {a}},
      {"mean", [](const Inputs& x) { return Mean(x[0] * x[0]) * Mean(x[0], 0, true); }, {a}},
      {"matmul", [](const Inputs& x) { return Matmul(x[0], Transpose(x[1])); }, {a, b}},
      {"matmul, a transposed",
       [](const Inputs& x) {
         return Matmul(x[0], x[1], {true, false});
       },
       {a, b}},
      {"matmul, b transposed",
       [](const Inputs& x) {
         return Matmul(x[0], x[1], {false, true});
       },
       {a, b}},
      {"matmul, both transposed",
       [](const Inputs& x) {
         return Matmul(x[0], Transpose(x[1]), {true, true});
       },
       {a, b}},
      {"batch_matmul, shared",
       [](const Inputs& x) {
         return Matmul(Reshape(x[0], {2, 1, 3}), x[1]);
       },
       {a, TestValues({3, 2})}},
      {"batch_matmul, repeated",
       [](const Inputs& x) {
         return Matmul(Reshape(x[0], {1, 3, 2}), x[1], {true, true});
       },
       {a, TestValues({2, 4, 3})}},
      {"linear", [](const Inputs& x) { return Tanh(Linear(x[0], x[1], x[2])); }, {a, w, bias}},
      {"linear of several axes", flat_linear, {a, w}},
      {"linear with relu", fused, {a, w, bias}},
      {"reshape",
       [](const Inputs& x) {
         return Exp(Reshape(x[0], {3, 2}));
       },
       {a}},
      {"transpose", [](const Inputs& x) { return Exp(Transpose(x[0])); }, {a}},
      {"expand",
       [](const Inputs& x) {
         return Exp(Expand(x[0], {4, -1}));
       },
       {row}},
  };
}

TEST(GradTest, SecondOrderOfElementwiseOperations) {
  for (const Case& test : ElementwiseCases()) {
    EXPECT_EQ(CheckSecondOrder(test.function, test.inputs), "") << test.name;
  }
}

TEST(GradTest, SecondOrderOfSumsProductsAndShapes) {
  for (const Case& test : OtherCases()) {
    EXPECT_EQ(CheckSecondOrder(test.function, test.inputs), "") << test.name;
  }
}

TEST(GradDeathTest, MisuseIsExplained) {
  const Variable x(TestValues({2, 2}), true);
  const Variable losses = MseLoss(x, Tensor::Zeros({2, 2}));
  EXPECT_DEATH(Grad({Sum(losses)}, {x}, CreateGraph()),
               "the gradient of mse_loss cannot be differentiated again");
  EXPECT_DEATH(Grad({x}, {x}), "output 0 without grad_outputs wants one element, got \\[2, 2\\]");
  EXPECT_DEATH(Grad({Sum(x)}, {Leaf(1)}), "no output depends on input 0; allow_unused");
  EXPECT_DEATH(Grad({Sum(x)}, {x.Detach()}), "input 0 requires no gradient");
  GradOptions options;
  options.grad_outputs = {Variable(Tensor::Zeros({3}))};
  EXPECT_DEATH(Grad({x}, {x}, options), "got float32 \\[3\\], want float32 \\[2, 2\\]");
  Variable hooked = x * 2;
  hooked.RegisterHook([](const Tensor& gradient) { return gradient.Clone(); });
  EXPECT_DEATH(Grad({Sum(hooked)}, {x}, CreateGraph()), "a hook replaces the gradient of multiply");
}

}  // namespace
}  // namespace lockstep::autograd
