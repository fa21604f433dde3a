#include "engine/autograd/variable.h"

#include <sstream>

#include "engine/autograd/arithmetic_ops.h"
#include "engine/autograd/grad_mode.h"
#include "engine/autograd/node.h"
#include "engine/autograd/reduction_ops.h"
#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

constexpr BackwardOptions kOverwrite{/*overwrite_leaf_gradients=*/true, /*retain_graph=*/false};
constexpr BackwardOptions kRetain{/*overwrite_leaf_gradients=*/false, /*retain_graph=*/true};

Variable Leaf(float value) { return Variable(value, /*requires_grad=*/true); }

TEST(VariableTest, RequiresGradIsContagious) {
  const Variable constant(2.0f);
  EXPECT_FALSE((constant * constant).requires_grad());
  EXPECT_TRUE((constant * Leaf(3)).requires_grad());
}

TEST(VariableTest, GradFnNamesTheOperation) {
  const Variable x = Leaf(1);
  EXPECT_EQ(x.grad_fn(), "");
  EXPECT_TRUE(x.is_leaf());
  EXPECT_EQ((x * x).grad_fn(), "multiply");
  EXPECT_FALSE((x * x).is_leaf());
}

TEST(VariableTest, AVariableUsedTwiceSumsItsGradients) {
  const Variable x = Leaf(3);
  const Variable y = x * x;
  (y + y).Backward();
  EXPECT_EQ(x.grad().item(), 12);
}

TEST(VariableTest, GradientsAccumulateUntilZeroGrad) {
  Variable x = Leaf(1);
  const Variable y = (x * 2.0f) * 3.0f;
  y.Backward(kRetain);
  y.Backward();
  EXPECT_EQ(x.grad().item(), 12);
  x.ZeroGrad();
  EXPECT_FALSE(x.grad().defined());
  (x * 5.0f).Backward();
  EXPECT_EQ(x.grad().item(), 5);
}

TEST(VariableTest, OverwriteReplacesGradients) {
  const Variable x = Leaf(1);
  (x * 2.0f).Backward(kOverwrite);
  (x * x * 5.0f).Backward(kOverwrite);
  EXPECT_EQ(x.grad().item(), 10);
}

TEST(VariableTest, DetachCutsTheGraph) {
  const Variable x = Leaf(3);
  const Variable y = x * x;
  EXPECT_FALSE(y.Detach().requires_grad());
  (y.Detach() * x).Backward();
  EXPECT_EQ(x.grad().item(), 9);
}

TEST(VariableTest, NoGradGuardRecordsNothing) {
  const Variable x = Leaf(3);
  {
    NoGradGuard guard;
    EXPECT_FALSE((x * x).requires_grad());
    NoGradGuard nested;
  }
  EXPECT_TRUE((x * x).requires_grad());
}

TEST(VariableTest, ResultsKeepTheirGradientOnRequest) {
  const Variable x = Leaf(3);
  Variable y = x * 2.0f;
  y.RetainGrad();
  (y * y).Backward();
  EXPECT_EQ(y.grad().item(), 12);
}

TEST(VariableTest, BackwardOfALeafGivesItTheUpstream) {
  const Variable x(Tensor::Zeros({2}), true);
  x.Backward(Tensor::FromVector({2}, std::vector<float>{3, 4}));
  EXPECT_EQ(x.grad().ToString(), "tensor([3, 4])");
}

TEST(VariableTest, GradientsDoNotShareMemoryWithUpstreamOrEachOther) {
  const Variable a(Tensor::Zeros({2}), true), b(Tensor::Zeros({2}), true);
  const Tensor upstream = Tensor::Full({2}, 1);
  (a + b).Backward(upstream);
  EXPECT_FALSE(a.grad().SharesElementsWith(upstream));
  EXPECT_FALSE(a.grad().SharesElementsWith(b.grad()));
}

TEST(VariableTest, AGradientGivenToSeveralInputsIsNotAddedInto) {
  const Variable a(Tensor::Zeros({1}), true), b(Tensor::Zeros({1}), true);
  const Variable c = a + b;  // upstream goes to both
  ((c + a) + (c + b)).Backward(Tensor::Full({1}, 1));
  EXPECT_EQ(a.grad().item(), 3);
  EXPECT_EQ(b.grad().item(), 3);
}

TEST(VariableTest, BackwardWritesIntoTheGradientBuffer) {
  const Tensor flat = Tensor::Full({4}, 77);
  Variable x(Tensor::Full({2}, 3), true);
  x.SetGradientBuffer(flat.Rows(2, 4));
  Sum(x * x).Backward(kOverwrite);
  EXPECT_EQ(flat.ToString(), "tensor([77, 77, 6, 6])");
  EXPECT_TRUE(x.grad().SharesElementsWith(flat.Rows(2, 4)));
  Sum(Exp(x * 0.0f) + x).Backward(kOverwrite);
  EXPECT_EQ(flat.ToString(), "tensor([77, 77, 1, 1])");
  Sum(x * 4.0f).Backward();  // accumulates
  EXPECT_EQ(flat.ToString(), "tensor([77, 77, 5, 5])");
  x.ZeroGrad();
  Sum(x * 4.0f).Backward();
  EXPECT_EQ(flat.ToString(), "tensor([77, 77, 4, 4])");
}

TEST(VariableTest, TheFirstContributionIsComputedInTheBufferItself) {
  Variable x(Tensor::Full({2}, 3), true);
  const Tensor buffer = Tensor::Zeros({2});
  x.SetGradientBuffer(buffer);
  std::vector<bool> in_buffer;
  const auto probe = [&](const Variable& input) {
    return MakeResult("probe", input.value(), {input},
                      [&](const Tensor& upstream, InputGradients& gradients) {
                        Tensor dx = gradients.Destination(0);
                        in_buffer.push_back(dx.SharesElementsWith(buffer));
                        dx.data<float>()[0] = upstream.data<float>()[0];
                        dx.data<float>()[1] = upstream.data<float>()[1];
                        gradients.Add(0, dx);
                      });
  };
  Sum(probe(x) + probe(x)).Backward(kOverwrite);
  EXPECT_EQ(in_buffer, (std::vector<bool>{true, false}));
  EXPECT_EQ(buffer.ToString(), "tensor([2, 2])");
}

TEST(VariableTest, TheHookComesWhenTheGradientIsCompleteAndBeforeOlderOperations) {
  std::vector<std::string> order;
  Variable early = Leaf(2), late = Leaf(5);
  early.SetGradientReadyHook([&] { order.push_back("early " + early.grad().ToString()); });
  late.SetGradientReadyHook([&] { order.push_back("late " + late.grad().ToString()); });
  const Variable first = early * early;
  const Variable second = first * late + late;
  second.Backward();
  EXPECT_EQ(order, (std::vector<std::string>{"late tensor(5)", "early tensor(20)"}));
  late.SetGradientReadyHook(nullptr);
  order.clear();
  (late * late).Backward();
  EXPECT_TRUE(order.empty());
}

TEST(VariableTest, HooksOfALeafSeeItsGradientBeforeItIsKept) {
  Variable x = Leaf(3);
  std::vector<double> seen;
  const int watch = x.RegisterHook([&](const Tensor& gradient) {
    seen.push_back(gradient.item());
    return Tensor();
  });
  x.RegisterHook([](const Tensor&) { return Tensor::Scalar(9); });
  (x * x + x).Backward();
  EXPECT_EQ(seen, (std::vector<double>{7}));  // 2 * 3 + 1, complete
  EXPECT_EQ(x.grad().item(), 9);
  (x * 5.0f).Backward();
  EXPECT_EQ(x.grad().item(), 18);
  x.RemoveHook(watch);
  (x * 5.0f).Backward();
  EXPECT_EQ(seen, (std::vector<double>{7, 5}));
}

TEST(VariableTest, HooksOfAResultChangeWhatGoesOn) {
  const Variable x = Leaf(3);
  Variable y = x * x;
  y.RegisterHook([](const Tensor& gradient) { return (Variable(gradient) * 10.0f).value(); });
  y.RegisterHook([](const Tensor& gradient) { return (Variable(gradient) + 1.0f).value(); });
  (y * 2.0f).Backward();
  EXPECT_EQ(x.grad().item(), 126);  // (2 * 10 + 1) * 6
}

TEST(VariableTest, AHookedGradientGoesIntoTheBuffer) {
  Variable x(Tensor::Full({2}, 3), true);
  const Tensor buffer = Tensor::Zeros({2});
  x.SetGradientBuffer(buffer);
  x.RegisterHook([](const Tensor&) { return Tensor::Full({2}, 8); });
  Sum(x * x).Backward(kOverwrite);
  EXPECT_EQ(buffer.ToString(), "tensor([8, 8])");
}

TEST(VariableTest, NodesCanBeLookedAt) {
  const Variable x(Tensor::Zeros({2, 3}), true);
  const Variable y = x * 2.0f;
  const Node& node = *y.node();
  EXPECT_EQ(node.name(), "multiply");
  EXPECT_EQ(node.shape(), (Shape{2, 3}));
  ASSERT_EQ(node.inputs().size(), 2u);
  EXPECT_EQ(node.inputs()[0], x.node());
  EXPECT_EQ(node.inputs()[1], nullptr);
  EXPECT_GT(node.sequence_number(), x.node()->sequence_number());
  EXPECT_EQ(node.ToString(), "multiply [2, 3] #" + std::to_string(node.sequence_number()));
  EXPECT_TRUE(y.Is(Variable(y)));
  EXPECT_FALSE(y.Is(x));
}

TEST(VariableTest, AChainOfSquaresNeedsNoStack) {
  Variable y = Leaf(1);
  for (int i = 0; i < 100000; ++i) y = y * y;
  EXPECT_EQ(y.item(), 1);
}

TEST(VariableTest, SetValueLeavesEarlierGraphsAlone) {
  Variable x = Leaf(3);
  const Variable y = x * x;
  x.SetValue(Tensor::Scalar(100));
  y.Backward();
  EXPECT_EQ(x.grad().item(), 6);
  EXPECT_EQ(x.item(), 100);
}

TEST(VariableTest, ConvertToIsSeenByAllHandles) {
  Variable x = Leaf(0.1f);
  const Variable same = x;
  const Variable y = x * x;
  x.ConvertTo(DType::kFloat64);
  EXPECT_EQ(same.dtype(), DType::kFloat64);
  EXPECT_EQ(same.item(), static_cast<double>(0.1f));
  y.Backward();  // of a graph made before
  EXPECT_FALSE(same.grad().defined());
  (same * same).Backward();
  EXPECT_EQ(x.grad().dtype(), DType::kFloat64);
  EXPECT_EQ(x.grad().item(), 2 * static_cast<double>(0.1f));
}

TEST(VariableTest, SavedValuesAreFreedByBackward) {
  const Variable x(Tensor::Full({2}, 2), true);
  const Tensor saved = Tensor::Full({2}, 5);
  const std::weak_ptr<Storage> storage = saved.storage();
  const Variable y = x * Variable(saved);
  const long before = storage.use_count();
  y.Backward(Tensor::Full({2}, 1));
  EXPECT_LT(storage.use_count(), before);
  EXPECT_EQ(storage.use_count(), 1);
}

TEST(VariableTest, AGraphOfAHundredThousandOperationsNeedsNoStack) {
  const Variable x = Leaf(1);
  Variable y = x;
  for (int i = 0; i < 100000; ++i) y = y + x;
  EXPECT_EQ(y.item(), 100001);
  y.Backward();
  EXPECT_EQ(x.grad().item(), 100001);
  y = Variable();  // destruction
  Variable never_run = x;
  for (int i = 0; i < 100000; ++i) never_run = never_run * 1.0f;
}

TEST(VariableTest, Prints) {
  std::ostringstream text;
  const Variable x = Leaf(2);
  text << x << " " << x * x << " " << x.Detach() << " " << Variable();
  EXPECT_EQ(text.str(),
            "tensor(2, requires_grad) tensor(4, grad_fn=multiply) tensor(2) tensor(undefined)");
}

TEST(VariableDeathTest, MisuseIsExplained) {
  const Variable x(Tensor::Zeros({2}), true);
  EXPECT_DEATH(x.Backward(), "wants one element, got shape \\[2\\]");
  EXPECT_DEATH(x.Backward(Tensor::Zeros({3})), "got float32 \\[3\\], want float32 \\[2\\]");
  EXPECT_DEATH(Variable(1.0f).Backward(), "requires no gradient");
  EXPECT_DEATH(Variable(1.0f).RegisterHook([](const Tensor& gradient) { return gradient; }),
               "requires no gradient");
  Variable hooked(Tensor::Zeros({2}), true);
  hooked.RegisterHook([](const Tensor&) { return Tensor::Zeros({3}); });
  EXPECT_DEATH(Sum(hooked).Backward(), "gradient hook of leaf.*gave float32 \\[3\\], want float32");
  EXPECT_DEATH(Variable(x).SetGradientBuffer(Tensor::Zeros({3})), "want float32 \\[2\\]");
  EXPECT_DEATH(x + Variable(Tensor::Zeros({2}, DType::kFloat64)),
               "add: got float32 and float64, want one dtype");
  EXPECT_DEATH(x.Backward(Tensor::Zeros({2}, DType::kFloat64)),
               "got float64 \\[2\\], want float32");
  const Variable y = Sum(x * x);
  y.Backward();
  EXPECT_DEATH(y.Backward(), "second time through sum.*retain_graph");
}

}  // namespace
}  // namespace lockstep::autograd
