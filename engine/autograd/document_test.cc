// The pieces of code of docs/autograd.md, compiled and run. The last test reads
// the document: each of its pieces must stand here, word for word.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "engine/autograd/activation_ops.h"
#include "engine/autograd/anomaly.h"
#include "engine/autograd/arithmetic_ops.h"
#include "engine/autograd/custom_function.h"
#include "engine/autograd/grad.h"
#include "engine/autograd/gradient_check.h"
#include "engine/autograd/graph_dot.h"
#include "engine/autograd/node.h"
#include "engine/autograd/reduction_ops.h"
#include "engine/autograd/variable.h"
#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

// clang-format off: as in the document.
TEST(DocumentTest, Variables) {
  testing::internal::CaptureStdout();
  Variable x(Tensor::FromVector({2}, std::vector<float>{1, 2}), /*requires_grad=*/true);
  Variable y = Sum(x * x + 3.0);
  y.Backward();
  std::cout << y << " " << x.grad().ToString();  // tensor(11, grad_fn=sum) tensor([2, 4])
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "tensor(11, grad_fn=sum) tensor([2, 4])");
}

TEST(DocumentTest, RetainGraph) {
  Variable a(2.0f, /*requires_grad=*/true);
  Variable product = (a * 2.0) * 3.0;
  BackwardOptions retain;
  retain.retain_graph = true;
  product.Backward(retain);
  product.Backward();  // a.grad() is 12
  EXPECT_EQ(a.grad().item(), 12);
  EXPECT_DEATH(product.Backward(), "second time through multiply");
}

TEST(DocumentTest, Hooks) {
  Variable w(3.0f, /*requires_grad=*/true);
  Variable h = w * w;
  const int hook = h.RegisterHook([](const Tensor& gradient) {
    return Tensor::Full(gradient.shape(), std::min(gradient.item(), 1.0));
  });
  (h * 10.0).Backward();  // w.grad() is 1 * 6, not 10 * 6
  h.RemoveHook(hook);
  EXPECT_EQ(w.grad().item(), 6);
}

TEST(DocumentTest, HigherOrders) {
  Variable z(Tensor::Scalar(2, DType::kFloat64), /*requires_grad=*/true);
  GradOptions again;
  again.create_graph = true;
  Variable slope = Grad({Power(z, 3)}, {z}, again)[0];  // 3 z^2 = 12
  Variable curvature = Grad({slope}, {z})[0];           // 6 z = 12
  EXPECT_EQ(slope.item(), 12);
  EXPECT_EQ(curvature.item(), 12);
}

class Cube : public CustomFunction {
 public:
  const char* name() const override { return "cube"; }
  Tensor Forward(absl::Span<const Tensor> inputs, SavedTensors& saved) override {
    saved.Save(inputs[0]);
    Tensor y = Tensor::Empty(inputs[0].shape());
    for (int64_t i = 0; i < y.element_count(); ++i) {
      const float v = inputs[0].data<float>()[i];
      y.data<float>()[i] = v * v * v;
    }
    return y;
  }
  void Backward(const Tensor& upstream, const SavedTensors& saved,
                InputGradients& gradients) override {
    Tensor dx = gradients.Destination(0);
    for (int64_t i = 0; i < dx.element_count(); ++i) {
      const float v = saved[0].data<float>()[i];
      dx.data<float>()[i] = 3 * v * v * upstream.data<float>()[i];
    }
    gradients.Add(0, dx);
  }
};

TEST(DocumentTest, OperationsOfOnesOwn) {
  const Variable x(2.0f, /*requires_grad=*/true);
  const Variable y = Apply(std::make_shared<Cube>(), {x});
  y.Backward();
  EXPECT_EQ(y.item(), 8);
  EXPECT_EQ(x.grad().item(), 12);
}

TEST(DocumentTest, GradientChecks) {
  const auto function = [](const std::vector<Variable>& v) { return Tanh(v[0]) * v[1]; };
  std::string difference = CheckGradients(function, {TestValues({2, 3}), TestValues({3})});  // ""
  EXPECT_EQ(difference, "");
}

TEST(DocumentTest, Anomalies) {
  AnomalyGuard guard;
  Variable zero(0.0f, /*requires_grad=*/true);
  Variable loss = Log(zero) * 2.0;
  std::string report = guard.report();  // forward of log gave -inf ...
  EXPECT_EQ(report.rfind("forward of log gave -inf", 0), 0u) << report;
}

TEST(DocumentTest, Drawings) {
  GraphDrawing drawing;
  Variable input(1.0f, /*requires_grad=*/true);
  drawing.Name(input, "input");
  Variable output = Relu(input * 2.0 + 1.0);
  output.Backward();
  std::string dot = drawing.Dot(output, DotDirection::kTopToBottom);
  EXPECT_NE(dot.find("{ input | data 1.0000 | grad 2.0000 }"), std::string::npos) << dot;
}
// clang-format on

// Lines without the spaces before them.
std::string ReadLines(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  std::string text;
  for (std::string line; std::getline(file, line);) {
    text += line.substr(std::min(line.size(), line.find_first_not_of(' '))) + "\n";
  }
  return text;
}

TEST(DocumentTest, EveryPieceOfCodeStandsHere) {
  const std::string document = ReadLines("docs/autograd.md");
  const std::string code = ReadLines("engine/autograd/document_test.cc");
  const std::string opening = "```cpp\n", closing = "```\n";
  int pieces = 0;
  for (size_t at = document.find(opening); at != std::string::npos;
       at = document.find(opening, at)) {
    at += opening.size();
    const std::string piece = document.substr(at, document.find(closing, at) - at);
    EXPECT_NE(code.find(piece), std::string::npos) << piece;
    ++pieces;
  }
  EXPECT_EQ(pieces, 8);
}

}  // namespace
}  // namespace lockstep::autograd
