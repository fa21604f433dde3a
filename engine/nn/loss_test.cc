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
  EXPECT_TRUE(loss.has_classes());
  EXPECT_EQ(*loss.Forward(logits, Classes({0, 1, 0})).correct, 2);
  EXPECT_EQ(*loss.Forward(logits, Numbers({1, 1, 1})).correct, 2);
}

TEST(LossTest, CrossEntropyRefusesWhatIsNoClass) {
  const CrossEntropy loss;
  EXPECT_TRUE(loss.Check({2, 3}, Classes({0, 2})).ok());
  EXPECT_TRUE(loss.Check({2, 3}, Numbers({0, 2})).ok());
  EXPECT_EQ(loss.Check({2, 3}, Classes({0, 3})).message(),
            "cross_entropy: got label tensor(3) in row 1, want a whole number from 0 to 2");
  EXPECT_FALSE(loss.Check({2, 3}, Classes({0, -1})).ok());
  EXPECT_FALSE(loss.Check({2, 3}, Numbers({0.5f, 1})).ok());
  EXPECT_FALSE(loss.Check({2, 3}, Numbers({0, 1e30f})).ok());
  EXPECT_EQ(loss.Check({2, 3}, Classes({0})).message(),
            "cross_entropy: got labels of shape [1] for outputs [2, 3], want one per example");
  EXPECT_EQ(loss.Check({2, 3, 4}, Classes({0, 1})).message(),
            "cross_entropy: got outputs [2, 3, 4], want [n, classes]");
}

TEST(LossTest, MeanSquaredErrorTakesOneOutput) {
  const MeanSquaredError loss;
  const Variable outputs(Tensor::FromVector({2, 1}, std::vector<float>{1, 2}));
  EXPECT_FALSE(loss.has_classes());
  const LossResult result = loss.Forward(outputs, Numbers({0, 5}));
  EXPECT_EQ(result.losses.value().ToString(), "tensor([1, 9])");
  EXPECT_FALSE(result.correct.has_value());
  EXPECT_EQ(loss.Forward(outputs, Classes({1, 1})).losses.value().ToString(), "tensor([0, 1])");
  EXPECT_TRUE(loss.Check({2}, Numbers({0, 5})).ok());
  EXPECT_EQ(loss.Check({2, 3}, Numbers({0, 5})).message(),
            "mse: got outputs [2, 3], want one per example, as there is one label");
}

TEST(LossTest, SumLossesIsInFloat64) {
  EXPECT_EQ(SumLosses(Numbers({16777216.0f, 1, 1})), 16777218.0);
}

}  // namespace
}  // namespace lockstep::nn
