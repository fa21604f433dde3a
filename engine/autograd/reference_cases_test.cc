// What public expression engines compute, with their numbers: micrograd's
// README and tests, minilib, ToyGrad and PyTorch. The originals work in
// float64; these are float32, so numbers agree to some 1e-6 of their size.
#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/autograd/activation_ops.h"
#include "engine/autograd/arithmetic_ops.h"
#include "engine/autograd/linear_ops.h"
#include "engine/autograd/loss_ops.h"
#include "engine/autograd/reduction_ops.h"
#include "engine/autograd/variable.h"
#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

Variable Leaf(float value) { return Variable(value, /*requires_grad=*/true); }

void ExpectNear(double got, double want) {
  EXPECT_NEAR(got, want, 2e-6 * std::max(1.0, std::abs(want)));
}

TEST(ReferenceCasesTest, MicrogradReadme) {
  const Variable a = Leaf(-4), b = Leaf(2);
  Variable c = a + b;
  Variable d = a * b + Power(b, 3);
  c = c + c + 1.0f;
  c = c + 1.0f + c + (-a);
  d = d + d * 2.0f + Relu(b + a);
  d = d + 3.0f * d + Relu(b - a);
  const Variable e = c - d;
  const Variable f = Power(e, 2);
  const Variable g = f / 2.0f + 10.0f / f;
  g.Backward();
  ExpectNear(g.item(), 24.70408163265306);
  ExpectNear(a.grad().item(), 138.83381924198252);
  ExpectNear(b.grad().item(), 645.5772594752186);
}

TEST(ReferenceCasesTest, MicrogradSanityCheck) {
  const Variable x = Leaf(-4);
  const Variable z = 2.0f * x + 2.0f + x;
  const Variable q = Relu(z) + z * x;
  const Variable h = Relu(z * z);
  const Variable y = h + q + q * x;
  y.Backward();
  EXPECT_EQ(y.item(), -20);
  EXPECT_EQ(x.grad().item(), 46);
}

TEST(ReferenceCasesTest, Minilib) {
  const Variable a = Leaf(2), b = Leaf(-3), c = Leaf(10), d = Leaf(5);
  const Variable y = c / d - (c * d + a * b);
  y.Backward();
  EXPECT_EQ(y.item(), -42);
  ExpectNear(a.grad().item(), 3);
  ExpectNear(b.grad().item(), -2);
  ExpectNear(c.grad().item(), -4.8);
  ExpectNear(d.grad().item(), -10.4);
}

TEST(ReferenceCasesTest, ToyGrad) {
  const Variable three = Leaf(3), seven = Leaf(7), two = Leaf(2), five = Leaf(5);
  const Variable y = (three + seven) * two * Power(five, 2);
  y.Backward();
  EXPECT_EQ(y.item(), 500);
  EXPECT_EQ(three.grad().item(), 50);
  EXPECT_EQ(seven.grad().item(), 50);
  EXPECT_EQ(two.grad().item(), 250);
  EXPECT_EQ(five.grad().item(), 200);
  const Variable x = Leaf(3);
  const Variable sixth = Power(x, 2) / 6.0f;
  sixth.Backward();
  EXPECT_EQ(sixth.item(), 1.5);
  ExpectNear(x.grad().item(), 1);
}

TEST(ReferenceCasesTest, TanhAndExp) {
  const Variable x = Leaf(2.9f);
  const Variable y = Tanh(x);
  y.Backward();
  ExpectNear(y.item(), 0.9939631673505831);
  ExpectNear(x.grad().item(), 0.0120372219514);
  ExpectNear(Tanh(Leaf(10)).item(), 0.9999999958776927);
  ExpectNear(Exp(Leaf(10)).item(), 22026.465794806718);
}

TEST(ReferenceCasesTest, OneNeuron) {
  const Variable x1 = Leaf(2), x2 = Leaf(0), w1 = Leaf(-3), w2 = Leaf(1), b = Leaf(6.8813f);
  const Variable y = Tanh(x1 * w1 + x2 * w2 + b);
  y.Backward();
  ExpectNear(y.item(), 0.7070699857622339);
  ExpectNear(x1.grad().item(), -1.5001561057);
  ExpectNear(x2.grad().item(), 0.50005203523);
  ExpectNear(w1.grad().item(), 1.00010407047);
  ExpectNear(w2.grad().item(), 0);
  ExpectNear(b.grad().item(), 0.50005203523);
}

TEST(ReferenceCasesTest, BackwardTwiceAccumulatesInTheLeafAlone) {
  const Variable x = Leaf(1);
  const Variable y = (x * 2.0f) * 3.0f;
  BackwardOptions retain;
  retain.retain_graph = true;
  y.Backward(retain);
  y.Backward(retain);
  EXPECT_EQ(x.grad().item(), 12);
}

TEST(ReferenceCasesTest, AHundredThousandChainedOperations) {
  const Variable x = Leaf(0.5f);
  Variable y = x;
  for (int i = 0; i < 100000; ++i) y = y * 1.0f + 0.0f;
  y.Backward();
  EXPECT_EQ(y.item(), 0.5);
  EXPECT_EQ(x.grad().item(), 1);
}

TEST(ReferenceCasesTest, ThreeInputNodes) {
  const Variable x = Leaf(1), y = Leaf(3), z = Leaf(3);
  const Variable r = Power((x + y) * z, 2);
  r.Backward();
  EXPECT_EQ(r.item(), 144);
  EXPECT_EQ(x.grad().item(), 72);
  EXPECT_EQ(y.grad().item(), 72);
  EXPECT_EQ(z.grad().item(), 96);
}

TEST(ReferenceCasesTest, LinearOfTenInputs) {
  std::vector<float> ten;
  for (int i = 1; i <= 10; ++i) ten.push_back(static_cast<float>(i));
  const Variable x(Tensor::FromVector({1, 10}, ten));
  const Variable w(Tensor::Full({20, 10}, 0.1f), true), b(Tensor::Full({20}, 0.5f), true);
  const Variable y = Linear(x, w, b);
  y.Backward(Tensor::Full({1, 20}, 1));
  for (int i = 0; i < 20; ++i) {
    ExpectNear(y.value().data<float>()[i], 6);
    EXPECT_EQ(b.grad().data<float>()[i], 1);
    for (int j = 0; j < 10; ++j) EXPECT_EQ(w.grad().data<float>()[i * 10 + j], j + 1);
  }
}

TEST(ReferenceCasesTest, BroadcastAndItsBackward) {
  const Variable w(Tensor::FromVector({1, 2}, std::vector<float>{-4, 2}), true);
  const Variable x(Tensor::FromVector({2, 1}, std::vector<float>{0.2f, 1}), true);
  const Variable c(Tensor::Full({1, 1}, 1), true);
  const Variable y = Matmul(Matmul(w, x), c) + 2.0f;
  y.Backward();
  ExpectNear(y.item(), 3.2);
  EXPECT_EQ(w.grad().ToString(), "tensor([[0.2, 1]])");
  EXPECT_EQ(x.grad().ToString(), "tensor([[-4], [2]])");
  ExpectNear(c.grad().item(), 1.2);
}

TEST(ReferenceCasesTest, Sigmoid) {
  const Variable x = Leaf(0.5f);
  const Variable y = Sigmoid(x);
  y.Backward();
  ExpectNear(y.item(), 0.6224593312);
  ExpectNear(x.grad().item(), 0.2350037122);
}

TEST(ReferenceCasesTest, BinaryCrossEntropyFromItsParts) {
  const Variable p(Tensor::FromVector({2}, std::vector<float>{0.8f, 0.3f}), true);
  const Variable y(Tensor::FromVector({2}, std::vector<float>{1, 0}));
  const Variable loss = Mean(-(y * Log(p) + (1.0f - y) * Log(1.0f - p)));
  loss.Backward();
  ExpectNear(loss.item(), 0.2899092476);
  ExpectNear(p.grad().data<float>()[0], -0.625);
  ExpectNear(p.grad().data<float>()[1], 0.7142857143);
}

TEST(ReferenceCasesTest, MeanSquaredError) {
  const Variable predictions(Tensor::FromVector({1, 2}, std::vector<float>{0, 2}), true);
  const Variable loss = MseLoss(predictions, Tensor::FromVector({1, 2}, std::vector<float>{1, 5}));
  loss.Backward();
  EXPECT_EQ(loss.item(), 5);
  EXPECT_EQ(predictions.grad().ToString(), "tensor([[-1, -3]])");
}

TEST(ReferenceCasesTest, CrossEntropy) {
  const Variable logits(Tensor::FromVector({1, 3}, std::vector<float>{1, 2, 3}), true);
  const Variable loss =
      CrossEntropyLoss(logits, Tensor::FromVector({1}, std::vector<int64_t>{2})).losses;
  loss.Backward();
  ExpectNear(loss.item(), 0.4076059644);
  const double want[] = {0.0900305732, 0.2447284711, -0.3347590442};
  for (int i = 0; i < 3; ++i) ExpectNear(logits.grad().data<float>()[i], want[i]);
}

TEST(ReferenceCasesTest, TanhUnitWithSquaredLoss) {
  const Variable w = Leaf(-0.5f), b = Leaf(0.5f);
  const Variable prediction = Tanh(w * 1.0f + b);
  const Variable loss = Power(prediction - 7.0f, 2);
  loss.Backward();
  EXPECT_EQ(prediction.item(), 0);
  EXPECT_EQ(loss.item(), 49);
  EXPECT_EQ(w.grad().item(), -14);
  EXPECT_EQ(b.grad().item(), -14);
}

}  // namespace
}  // namespace lockstep::autograd
