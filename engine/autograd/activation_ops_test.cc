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

// Arguments, results and gradients in PyTorch 2.13 (float64).
TEST(ActivationOpsTest, ValuesAndGradientsAreThoseOfPyTorch) {
  using Values = std::vector<double>;
  struct Case {
    const char* name;
    Variable (*function)(const Variable& x);
    Values results;
    Values gradients;
  };
  const Case cases[] = {
      {"gelu",
       Gelu,
       {-0.00404969409, -0.132062217, -0.154268769, 0, 0.149676581, 1.95449974, 7},
       {-0.0119456472, -0.122661583, 0.132504875, 0.5, 0.695373355, 1.0852318, 1}},
      {"gelu_tanh",
       GeluTanh,
       {-0.00363739208, -0.132285797, -0.15428599, 0, 0.149675351, 1.95459769, 7},
       {-0.0115841666, -0.122492632, 0.132630096, 0.5, 0.695354095, 1.08609926, 1}},
      {"silu",
       Silu,
       {-0.14227762, -0.278375174, -0.188770334, 0, 0.140544125, 1.76159416, 6.99362264},
       {-0.088104106, 0.00631915508, 0.260038813, 0.5, 0.623710022, 1.09078425, 1.0054605}},
      {"softplus",
       [](const Variable& x) { return Softplus(x, 2, 5); },
       {0.00123784257, 0.0394448671, 0.156630844, 0.34657359, 0.487038492, 2.00907496, 7},
       {0.00247262316, 0.07585818, 0.268941421, 0.5, 0.622459331, 0.98201379, 1}},
      {"leaky_relu",
       [](const Variable& x) { return LeakyRelu(x, 0.125); },
       {-0.375, -0.15625, -0.0625, 0, 0.25, 2, 7},
       {0.125, 0.125, 0.125, 0.125, 1, 1, 1}},
      {"elu",
       [](const Variable& x) { return Elu(x, 1.5); },
       {-1.4253194, -1.0702428, -0.59020401, 0, 0.25, 2, 7},
       {0.0746806026, 0.429757195, 0.90979599, 1.5, 1, 1, 1}},
      {"hardtanh",
       [](const Variable& x) { return Hardtanh(x, -0.5, 2); },
       {-0.5, -0.5, -0.5, 0, 0.25, 2, 2},
       {0, 0, 0, 1, 1, 0, 0}},
      {"relu6", Relu6, {0, 0, 0, 0, 0.25, 2, 6}, {0, 0, 0, 0, 1, 1, 0}},
  };
  for (const Case& c : cases) {
    for (DType dtype : {DType::kFloat32, DType::kFloat64}) {
      SCOPED_TRACE(c.name);
      const double tolerance = dtype == DType::kFloat64 ? 1e-8 : 1e-6;
      const Variable x(Tensor::FromVector({7}, Values{-3, -1.25, -0.5, 0, 0.25, 2, 7}).To(dtype),
                       true);
      const Variable y = c.function(x);
      EXPECT_EQ(y.grad_fn(), c.name);
      y.Backward(Tensor::Full({7}, 1, dtype));
      const Tensor results = y.value().To(DType::kFloat64);
      const Tensor gradients = x.grad().To(DType::kFloat64);
      for (int i = 0; i < 7; ++i) {
        EXPECT_NEAR(results.data<double>()[i], c.results[i], tolerance) << i;
        EXPECT_NEAR(gradients.data<double>()[i], c.gradients[i], tolerance) << i;
      }
    }
  }
}

TEST(ActivationOpsTest, GradientsFromTheArgument) {
  const Tensor values = TestValues({3, 4}, -2, 2);
  for (Variable (*function)(const Variable&) : {Gelu, GeluTanh, Silu}) {
    EXPECT_EQ(CheckGradients([=](const Inputs& x) { return function(x[0]); }, {values}), "");
  }
  EXPECT_EQ(CheckGradients([](const Inputs& x) { return Softplus(x[0], 0.75); }, {values}), "");
  EXPECT_EQ(CheckGradients([](const Inputs& x) { return LeakyRelu(x[0], 0.2); }, {values}), "");
  EXPECT_EQ(CheckGradients([](const Inputs& x) { return Elu(x[0], 0.7); }, {values}), "");
  EXPECT_EQ(CheckGradients([](const Inputs& x) { return Hardtanh(x[0]); }, {values}), "");
}

TEST(ActivationOpsTest, EmptyBatches) {
  const Variable x(Tensor::Zeros({0, 3}), true);
  Relu(x).Backward(Tensor::Zeros({0, 3}));
  EXPECT_EQ(x.grad().shape(), (Shape{0, 3}));
}

}  // namespace
}  // namespace lockstep::autograd
