#include "engine/nn/loss.h"

#include "gtest/gtest.h"

namespace lockstep::nn {
namespace {

using autograd::Variable;

Tensor Classes(const std::vector<int64_t>& labels) {
  return Tensor::FromVector({static_cast<int64_t>(labels.size())}, labels);
}
Tensor Numbers(const std::vector<float>& labels) {
  return Tensor::FromVector({static_cast<int64_t>(labels.size())}, labels);
}

TEST(LossTest, CrossEntropyCountsRightAnswers) {
  const Variable logits(Tensor::FromVector({3, 2}, std::vector<float>{1, 0, 0, 1, 0, 1}));
  const CrossEntropy loss;
  const LossResult result = loss.Forward(logits, Classes({0, 1, 0}));
  EXPECT_EQ(result.predictions, 3);
  EXPECT_EQ(result.correct, 2);
  EXPECT_EQ(loss.Forward(logits, Numbers({1, 1, 1})).correct, 2);
}

TEST(LossTest, CrossEntropyRefusesWhatIsNoClass) {
  const CrossEntropy loss;
  EXPECT_TRUE(loss.Check({2, 3}, Classes({0, 2})).ok());
  EXPECT_TRUE(loss.Check({2, 3}, Numbers({0, 2})).ok());
  EXPECT_EQ(loss.Check({2, 3}, Classes({0, 3})).message(),
            "cross_entropy: got label tensor(3) at position 1 of the batch, want a whole number "
            "from 0 to 2");
  EXPECT_FALSE(loss.Check({2, 3}, Classes({0, -1})).ok());
  EXPECT_FALSE(loss.Check({2, 3}, Numbers({0.5f, 1})).ok());
  EXPECT_FALSE(loss.Check({2, 3}, Numbers({0, 1e30f})).ok());
  EXPECT_EQ(loss.Check({2, 3}, Classes({0})).message(),
            "cross_entropy: got labels of shape [1] for outputs [2, 3], want [2]");
  EXPECT_EQ(loss.Check({2, 3, 4}, Classes({0, 1})).message(),
            "cross_entropy: got labels of shape [2] for outputs [2, 3, 4], want [2, 3]");
  EXPECT_EQ(loss.Check({2}, Classes({0, 1})).message(),
            "cross_entropy: got outputs [2], want [n, ..., classes]");
}

TEST(LossTest, PositionsCountOneByOneWithoutTheIgnored) {
  const Variable logits(Tensor::FromVector({1, 3, 2}, std::vector<float>{1, 0, 0, 1, 0, 1}));
  const Tensor labels = Tensor::FromVector({1, 3}, std::vector<int64_t>{0, 0, 7});
  ClassLossSettings settings;
  settings.ignored_label = 7;
  const CrossEntropy cross_entropy(settings);
  EXPECT_TRUE(cross_entropy.Check({1, 3, 2}, labels).ok());
  const LossResult result = cross_entropy.Forward(logits, labels);
  EXPECT_EQ(result.losses.shape(), (Shape{1}));
  EXPECT_EQ(result.predictions, 2);
  EXPECT_EQ(result.correct, 1);
  EXPECT_EQ(NegativeLogLikelihood(settings).Forward(logits, labels).correct, 1);
}

TEST(LossTest, ClassWeightsAndSmoothingReachTheOperation) {
  ClassLossSettings settings;
  settings.class_weights = {2, 1};
  const Variable logits(Tensor::FromVector({1, 2}, std::vector<float>{-1, -3}));
  EXPECT_EQ(NegativeLogLikelihood(settings).Forward(logits, Classes({0})).losses.item(), 2);
  settings.class_weights = {};
  settings.label_smoothing = 1;
  EXPECT_NEAR(CrossEntropy(settings).Forward(logits, Classes({0})).losses.item(), 1.1269280110,
              1e-6);
}

TEST(LossTest, MeanSquaredErrorTakesALabelForEachOutput) {
  const TargetLoss loss(TargetLossKind::kMeanSquaredError);
  const Variable outputs(Tensor::FromVector({2, 1}, std::vector<float>{1, 2}));
  const LossResult result = loss.Forward(outputs, Numbers({0, 5}));
  EXPECT_EQ(result.losses.value().ToString(), "tensor([1, 9])");
  EXPECT_EQ(result.predictions, 0);
  EXPECT_EQ(loss.Forward(outputs, Classes({1, 1})).losses.value().ToString(), "tensor([0, 1])");
  EXPECT_TRUE(loss.Check({2}, Numbers({0, 5})).ok());
  EXPECT_TRUE(loss.Check({2, 2}, Tensor::Zeros({2, 2})).ok());
  EXPECT_EQ(loss.Check({2, 3}, Numbers({0, 5})).message(),
            "mse: got labels of shape [2] for outputs [2, 3], want one label for each output");
}

TEST(LossTest, EveryTargetLossIsItsOperation) {
  const Variable outputs(Tensor::FromVector({2, 2}, std::vector<float>{0.25, 0.75, 0.5, 0.5}));
  const Tensor targets = Tensor::FromVector({2, 2}, std::vector<float>{0, 1, 1, 0});
  const auto first = [&](TargetLossKind kind, double parameter = 1) {
    const TargetLoss loss(kind, parameter);
    return loss.Forward(outputs, targets).losses.value().data<float>()[0];
  };
  EXPECT_EQ(first(TargetLossKind::kMeanSquaredError), 0.0625f);
  EXPECT_EQ(first(TargetLossKind::kL1), 0.25f);
  EXPECT_EQ(first(TargetLossKind::kHuber, 0.125), 0.125f * (0.25f - 0.0625f));
  EXPECT_NEAR(first(TargetLossKind::kBinaryCrossEntropy), 0.2876820724, 1e-6);
  EXPECT_NEAR(first(TargetLossKind::kBinaryCrossEntropyWithLogits, 3), 0.9932762, 1e-6);
  EXPECT_EQ(first(TargetLossKind::kHinge), 0.75f);
  EXPECT_EQ(first(TargetLossKind::kKlDivergence), -0.75f);
  EXPECT_NEAR(first(TargetLossKind::kCosineEmbedding), 0.0513167, 1e-6);
}

TEST(LossTest, BinaryLossesCountSides) {
  const Variable outputs(Tensor::FromVector({4}, std::vector<float>{0.25, 0.75, 0.5, -1}));
  const auto correct = [&](TargetLossKind kind, const std::vector<float>& targets) {
    const LossResult result = TargetLoss(kind).Forward(outputs, Numbers(targets));
    EXPECT_EQ(result.predictions, 4);
    return result.correct;
  };
  EXPECT_EQ(correct(TargetLossKind::kBinaryCrossEntropy, {0, 1, 0, 0}), 4);
  EXPECT_EQ(correct(TargetLossKind::kBinaryCrossEntropyWithLogits, {0, 1, 0, 0}), 2);
  EXPECT_EQ(correct(TargetLossKind::kHinge, {1, 1, -1, -1}), 3);
}

TEST(LossTest, SumLossesIsInFloat64) {
  EXPECT_EQ(SumLosses(Numbers({16777216.0f, 1, 1})), 16777218.0);
}

}  // namespace
}  // namespace lockstep::nn
