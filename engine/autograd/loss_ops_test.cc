#include "engine/autograd/loss_ops.h"

#include <vector>

#include "engine/autograd/gradient_check.h"
#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

using Inputs = std::vector<Variable>;

TEST(LossOpsTest, MseIsTheMeanOverAnExamplesOutputs) {
  const Variable predictions(Tensor::FromVector({2, 2}, std::vector<float>{0, 2, 1, 1}), true);
  const Tensor targets = Tensor::FromVector({2, 2}, std::vector<float>{1, 5, 1, 3});
  const Variable losses = MseLoss(predictions, targets);
  EXPECT_EQ(losses.value().ToString(), "tensor([5, 2])");
  losses.Backward(Tensor::FromVector({2}, std::vector<float>{1, 10}));
  EXPECT_EQ(predictions.grad().ToString(), "tensor([[-1, -3], [0, -20]])");
}

TEST(LossOpsTest, MseOfOneOutputPerExample) {
  const Variable predictions(Tensor::FromVector({2}, std::vector<float>{0, 2}), true);
  const Variable losses = MseLoss(predictions, Tensor::FromVector({2}, std::vector<float>{1, 5}));
  EXPECT_EQ(losses.value().ToString(), "tensor([1, 9])");
  losses.Backward(Tensor::Full({2}, 1));
  EXPECT_EQ(predictions.grad().ToString(), "tensor([-2, -6])");
}

TEST(LossOpsTest, CrossEntropyPredictsTheGreatestLogit) {
  const Variable logits(Tensor::FromVector({2, 3}, std::vector<float>{1, 2, 3, 5, 4, 5}), true);
  const Tensor labels = Tensor::FromVector({2}, std::vector<int64_t>{2, 0});
  const CrossEntropyResult result = CrossEntropyLoss(logits, labels);
  EXPECT_NEAR(result.losses.value().data<float>()[0], 0.4076059644, 1e-6);
  EXPECT_EQ(result.predictions.ToString(), "tensor([2, 0])");
}

TEST(LossOpsTest, Gradients) {
  const Tensor targets = TestValues({3, 4}, -1, 1, 4);
  EXPECT_EQ(CheckGradients([&](const Inputs& x) { return MseLoss(x[0], targets.To(x[0].dtype())); },
                           {TestValues({3, 4})}),
            "");
  const Tensor labels = Tensor::FromVector({3}, std::vector<int64_t>{0, 3, 2});
  EXPECT_EQ(CheckGradients([&](const Inputs& x) { return CrossEntropyLoss(x[0], labels).losses; },
                           {TestValues({3, 4})}),
            "");
}

TEST(LossOpsTest, EmptyBatches) {
  const Variable outputs(Tensor::Zeros({0, 3}), true);
  MseLoss(outputs, Tensor::Zeros({0, 3})).Backward(Tensor::Zeros({0}));
  CrossEntropyLoss(outputs, Tensor::Zeros({0}, DType::kInt64)).losses.Backward(Tensor::Zeros({0}));
  EXPECT_EQ(outputs.grad().shape(), (Shape{0, 3}));
}

TEST(LossOpsDeathTest, MisfitsNameBothShapes) {
  const Variable outputs(Tensor::Zeros({2, 3}));
  EXPECT_DEATH(MseLoss(outputs, Tensor::Zeros({2})),
               "predictions \\[2, 3\\] and targets \\[2\\] want one shape");
  EXPECT_DEATH(CrossEntropyLoss(outputs, Tensor::Zeros({4}, DType::kInt64)),
               "logits \\[2, 3\\] and labels \\[4\\]");
  EXPECT_DEATH(CrossEntropyLoss(outputs, Tensor::FromVector({2}, std::vector<int64_t>{0, 3})),
               "got label 3, want 0 to 2");
}

}  // namespace
}  // namespace lockstep::autograd
