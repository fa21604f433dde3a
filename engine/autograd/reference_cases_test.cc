// What public expression engines compute, with their numbers: micrograd's
// README and tests, minilib, ToyGrad and PyTorch. All in float64, as there.
#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include "engine/autograd/activation_ops.h"
#include "engine/autograd/arithmetic_ops.h"
#include "engine/autograd/convolution_ops.h"
#include "engine/autograd/graph_dot.h"
#include "engine/autograd/linear_ops.h"
#include "engine/autograd/loss_ops.h"
#include "engine/autograd/math_ops.h"
#include "engine/autograd/node.h"
#include "engine/autograd/pointwise_loss_ops.h"
#include "engine/autograd/reduction_ops.h"
#include "engine/autograd/variable.h"
#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

Tensor Doubles(Shape shape, const std::vector<double>& values) {
  return Tensor::FromVector(std::move(shape), values);
}

Variable Leaf(double value) { return Variable(Tensor::Scalar(value, DType::kFloat64), true); }
Variable Leaf(Shape shape, const std::vector<double>& values) {
  return Variable(Doubles(std::move(shape), values), true);
}

// To the digits that the originals print, which is at least ten.
void ExpectNear(double got, double want) {
  EXPECT_NEAR(got, want, 5e-11 * std::max(1.0, std::abs(want)));
}
void ExpectNear(const Tensor& got, const std::vector<double>& want) {
  ASSERT_EQ(got.element_count(), static_cast<int64_t>(want.size()));
  for (size_t i = 0; i < want.size(); ++i) ExpectNear(got.data<double>()[i], want[i]);
}

TEST(ReferenceCasesTest, MicrogradReadme) {
  const Variable a = Leaf(-4), b = Leaf(2);
  Variable c = a + b;
  Variable d = a * b + Power(b, 3);
  c = c + c + 1;
  c = c + 1 + c + (-a);
  d = d + d * 2 + Relu(b + a);
  d = d + 3 * d + Relu(b - a);
  const Variable e = c - d;
  const Variable f = Power(e, 2);
  const Variable g = f / 2 + 10 / f;
  g.Backward();
  EXPECT_DOUBLE_EQ(g.item(), 24.70408163265306);
  EXPECT_DOUBLE_EQ(a.grad().item(), 138.83381924198252);
  EXPECT_DOUBLE_EQ(b.grad().item(), 645.5772594752186);
}

TEST(ReferenceCasesTest, MicrogradSanityCheck) {
  const Variable x = Leaf(-4);
  const Variable z = 2 * x + 2 + x;
  const Variable q = Relu(z) + z * x;
  const Variable h = Relu(z * z);
  const Variable y = h + q + q * x;
  y.Backward();
  EXPECT_EQ(y.item(), -20);
  EXPECT_EQ(x.grad().item(), 46);
}

TEST(ReferenceCasesTest, NumbersStandOnEitherSide) {
  const Variable x = Leaf(4);
  EXPECT_EQ((3 - x).item(), -1);
  EXPECT_EQ((x - 3).item(), 1);
  EXPECT_EQ((2 / x).item(), 0.5);
  EXPECT_EQ((x / 2).item(), 2);
  EXPECT_EQ(Power(x, -0.5).item(), 0.5);
  EXPECT_DOUBLE_EQ(Pow(ScalarLike(2, x), x).item(), 16);  // 2 ** x
  EXPECT_EQ((-x).item(), -4);
}

TEST(ReferenceCasesTest, Minilib) {
  const Variable a = Leaf(2), b = Leaf(-3), c = Leaf(10), d = Leaf(5);
  const Variable y = c / d - (c * d + a * b);
  y.Backward();
  EXPECT_EQ(y.item(), -42);
  EXPECT_DOUBLE_EQ(a.grad().item(), 3);
  EXPECT_DOUBLE_EQ(b.grad().item(), -2);
  EXPECT_DOUBLE_EQ(c.grad().item(), -4.8);
  EXPECT_DOUBLE_EQ(d.grad().item(), -10.4);
}

TEST(ReferenceCasesTest, ToyGradProduct) {
  const Variable three = Leaf(3), seven = Leaf(7), two = Leaf(2), five = Leaf(5);
  const Variable y = (three + seven) * two * Power(five, 2);
  y.Backward();
  EXPECT_EQ(y.item(), 500);
  EXPECT_EQ(three.grad().item(), 50);
  EXPECT_EQ(seven.grad().item(), 50);
  EXPECT_EQ(two.grad().item(), 250);
  EXPECT_EQ(five.grad().item(), 200);
}

TEST(ReferenceCasesTest, ToyGradSquares) {
  const Variable x = Leaf(3);
  const Variable sixth = Power(x, 2) / 6;
  sixth.Backward();
  EXPECT_EQ(sixth.item(), 1.5);
  EXPECT_DOUBLE_EQ(x.grad().item(), 1);
  const Variable twice = Leaf(3);
  (twice * twice).Backward();
  EXPECT_EQ(twice.grad().item(), 6);
  const Variable two = Leaf(2);
  const Variable sine = Sin(two * two);
  sine.Backward();
  ExpectNear(sine.item(), -0.7568024953);
  ExpectNear(two.grad().item(), -2.6145744835);
}

TEST(ReferenceCasesTest, TanhAndExp) {
  const Variable x = Leaf(2.9);
  const Variable y = Tanh(x);
  y.Backward();
  EXPECT_DOUBLE_EQ(y.item(), 0.9939631673505831);
  EXPECT_NEAR(x.grad().item(), 0.0120372219514, 2e-12);      // as published; exactly ...95039663
  EXPECT_NEAR(x.grad().item(), 0.01203722195039663, 3e-16);  // as y has 1.1e-16
  EXPECT_DOUBLE_EQ(Tanh(Leaf(10)).item(), 0.9999999958776927);
  EXPECT_DOUBLE_EQ(Exp(Leaf(10)).item(), 22026.465794806718);
}

TEST(ReferenceCasesTest, OneNeuron) {
  const Variable x1 = Leaf(2), x2 = Leaf(0), w1 = Leaf(-3), w2 = Leaf(1), b = Leaf(6.8813);
  const Variable y = Tanh(x1 * w1 + x2 * w2 + b);
  y.Backward();
  EXPECT_DOUBLE_EQ(y.item(), 0.7070699857622339);
  ExpectNear(x1.grad().item(), -1.5001561057);
  ExpectNear(x2.grad().item(), 0.50005203523);
  ExpectNear(w1.grad().item(), 1.00010407047);
  EXPECT_EQ(w2.grad().item(), 0);
  ExpectNear(b.grad().item(), 0.50005203523);
}

TEST(ReferenceCasesTest, BackwardTwiceAccumulatesInTheLeafAlone) {
  const Variable x = Leaf(1);
  const Variable y = (x * 2) * 3;
  BackwardOptions retain;
  retain.retain_graph = true;
  y.Backward(retain);
  y.Backward(retain);
  EXPECT_EQ(x.grad().item(), 12);
}

TEST(ReferenceCasesTest, AHundredThousandChainedOperations) {
  const Variable x = Leaf(0.5);
  Variable y = x;
  for (int i = 0; i < 50000; ++i) y = y * 1 + 0;
  y.Backward();
  EXPECT_EQ(y.item(), 0.5);
  EXPECT_EQ(x.grad().item(), 1);
}

int Count(const std::string& text, const std::string& part) {
  int count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(ReferenceCasesTest, DrawingOfNineNodesAndEightEdges) {
  GraphDrawing drawing;
  const Variable x = Leaf(1);
  const Variable y = Relu(x * 2 + 1);
  y.Backward();
  EXPECT_EQ(y.item(), 3);
  EXPECT_EQ(x.grad().item(), 2);
  const std::string dot = drawing.Dot(y);
  EXPECT_EQ(Count(dot, "label="), 9);
  EXPECT_EQ(Count(dot, "->"), 8);
  EXPECT_EQ(Count(dot, "{ data 1.0000 | grad 2.0000 }"), 1);
  EXPECT_EQ(Count(dot, "rankdir=LR"), 1);
  EXPECT_EQ(Count(drawing.Dot(y, DotDirection::kTopToBottom), "rankdir=TB"), 1);
}

TEST(ReferenceCasesTest, ThreeInputNodes) {
  const Variable x = Leaf(1), y = Leaf(3), z = Leaf(3);
  Variable a = x + y;
  Variable b = a * z;
  a.RetainGrad();
  b.RetainGrad();
  const Variable r = Power(b, 2);
  r.Backward();
  EXPECT_EQ(r.item(), 144);
  EXPECT_EQ(x.grad().item(), 72);
  EXPECT_EQ(y.grad().item(), 72);
  EXPECT_EQ(z.grad().item(), 96);
  // By hand: dr/db = 2 b, dr/da = dr/db z.
  EXPECT_EQ(b.grad().item(), 2 * b.item());
  EXPECT_EQ(a.grad().item(), b.grad().item() * z.item());
}

TEST(ReferenceCasesTest, NestedScalarGraph) {
  const Variable x = Leaf(0.5), y = Leaf(1), z = Leaf(2);
  const Variable result = Tanh(Log(1 + z * 2 * x / Sin(y)));
  result.Backward();
  EXPECT_DOUBLE_EQ(result.item(), 0.8387449471877342);
  ExpectNear(x.grad().item(), 0.41739917832);
  ExpectNear(y.grad().item(), -0.13400446515);
  ExpectNear(z.grad().item(), 0.10434979458);
}

TEST(ReferenceCasesTest, TwoVariables) {
  const Variable x = Leaf(1), y = Leaf(0.5);
  const Variable result = Sin(x * x + y * y);
  result.Backward();
  ExpectNear(result.item(), 0.9489846194);
  ExpectNear(x.grad().item(), 0.6306447248);
  ExpectNear(y.grad().item(), 0.3153223624);
}

TEST(ReferenceCasesTest, LinearOfTenInputs) {
  std::vector<double> ten;
  for (int i = 1; i <= 10; ++i) ten.push_back(i);
  const Variable x(Doubles({1, 10}, ten));
  const Variable w(Tensor::Full({20, 10}, 0.1, DType::kFloat64), true);
  const Variable b(Tensor::Full({20}, 0.5, DType::kFloat64), true);
  const Variable y = Linear(x, w, b);
  y.Backward(Tensor::Full({1, 20}, 1, DType::kFloat64));
  for (int i = 0; i < 20; ++i) {
    EXPECT_DOUBLE_EQ(y.value().data<double>()[i], 6);
    EXPECT_EQ(b.grad().data<double>()[i], 1);
    for (int j = 0; j < 10; ++j) EXPECT_EQ(w.grad().data<double>()[i * 10 + j], j + 1);
  }
  EXPECT_DEATH(Linear(Variable(Tensor::Zeros({1, 9}, DType::kFloat64)), w, b),
               "input \\[1, 9\\] does not fit weight \\[20, 10\\]");
}

TEST(ReferenceCasesTest, ConvolutionOfNineNumbers) {
  const Variable x = Leaf({1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  const Variable kernel = Leaf({1, 1, 2, 2}, {1, 0, 0, -1});
  const Variable bias = Leaf({1}, {0});
  const Variable y = Conv2d(x, kernel, bias);
  y.Backward(Tensor::Full({1, 1, 2, 2}, 1, DType::kFloat64));
  ExpectNear(y.value(), {-4, -4, -4, -4});
  ExpectNear(kernel.grad(), {12, 16, 24, 28});
  ExpectNear(x.grad(), {1, 1, 0, 1, 0, -1, 0, -1, -1});
  ExpectNear(bias.grad(), {4});
}

TEST(ReferenceCasesTest, BroadcastAndItsBackward) {
  const Variable w = Leaf({1, 2}, {-4, 2}), x = Leaf({2, 1}, {0.2, 1}), c = Leaf({1, 1}, {1});
  const Variable y = Matmul(Matmul(w, x), c) + 2;
  y.Backward();
  EXPECT_DOUBLE_EQ(y.item(), 3.2);
  ExpectNear(w.grad(), {0.2, 1});
  ExpectNear(x.grad(), {-4, 2});
  ExpectNear(c.grad(), {1.2});
  const Variable row = Leaf({3}, {3, 5, 6});
  ExpectNear((row + 3).value(), {6, 8, 9});
  ExpectNear((row * Leaf({3}, {2, 1, 3})).value(), {6, 5, 18});
}

TEST(ReferenceCasesTest, SigmoidAndBinaryCrossEntropy) {
  const Variable x = Leaf(0.5);
  const Variable y = Sigmoid(x);
  y.Backward();
  ExpectNear(y.item(), 0.6224593312);
  ExpectNear(x.grad().item(), 0.2350037122);

  const Tensor targets = Doubles({1, 2}, {1, 0});
  const Variable p = Leaf({1, 2}, {0.8, 0.3});
  const Variable loss = BinaryCrossEntropyLoss(p, targets);
  loss.Backward();
  ExpectNear(loss.item(), 0.2899092476);
  ExpectNear(p.grad(), {-0.625, 0.7142857142857143});
  // The same from its parts.
  const Variable q = Leaf({1, 2}, {0.8, 0.3}), t(targets);
  const Variable parts = Mean(-(t * Log(q) + (1 - t) * Log(1 - q)));
  parts.Backward();
  ExpectNear(parts.item(), 0.2899092476);
  ExpectNear(q.grad(), {-0.625, 0.7142857142857143});
}

TEST(ReferenceCasesTest, MeanSquaredError) {
  const Variable predictions = Leaf({1, 2}, {0, 2});
  const Variable loss = MseLoss(predictions, Doubles({1, 2}, {1, 5}));
  loss.Backward();
  EXPECT_EQ(loss.item(), 5);
  ExpectNear(predictions.grad(), {-1, -3});
}

TEST(ReferenceCasesTest, CrossEntropy) {
  const Variable logits = Leaf({1, 3}, {1, 2, 3});
  const Variable loss =
      CrossEntropyLoss(logits, Tensor::FromVector({1}, std::vector<int64_t>{2})).losses;
  loss.Backward();
  ExpectNear(loss.item(), 0.4076059644);
  ExpectNear(logits.grad(), {0.0900305732, 0.2447284711, -0.3347590442});
}

TEST(ReferenceCasesTest, TanhUnitWithSquaredLoss) {
  const Variable w = Leaf(-0.5), b = Leaf(0.5);
  const Variable prediction = Tanh(w * 1 + b);
  const Variable loss = Power(prediction - 7, 2);
  loss.Backward();
  EXPECT_EQ(prediction.item(), 0);
  EXPECT_EQ(loss.item(), 49);
  EXPECT_EQ(w.grad().item(), -14);
  EXPECT_EQ(b.grad().item(), -14);
}

TEST(ReferenceCasesTest, VariablesTellWhatTheyAre) {
  Variable x = Leaf(3);
  const Variable constant(Tensor::Scalar(2, DType::kFloat64));
  const Variable y = x * constant;
  EXPECT_TRUE(y.requires_grad());
  EXPECT_FALSE((constant * constant).requires_grad());
  EXPECT_EQ(y.grad_fn(), "multiply");
  EXPECT_EQ(x.grad_fn(), "");
  EXPECT_FALSE(y.Detach().requires_grad());
  EXPECT_EQ(y.item(), 6);
  ASSERT_EQ(y.node()->inputs().size(), 2u);
  EXPECT_EQ(y.node()->inputs()[0], x.node());
  EXPECT_EQ(y.node()->name(), "multiply");
  EXPECT_EQ(y.node()->shape(), Shape{});
  EXPECT_EQ(y.node()->dtype(), DType::kFloat64);
  y.Backward();
  EXPECT_EQ(x.grad().item(), 2);
  x.ZeroGrad();
  EXPECT_FALSE(x.grad().defined());
  std::ostringstream text;
  text << x << " " << y;
  EXPECT_EQ(text.str(), "tensor(3, requires_grad) tensor(6, grad_fn=multiply)");
}

}  // namespace
}  // namespace lockstep::autograd
