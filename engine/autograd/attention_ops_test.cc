#include "engine/autograd/attention_ops.h"

#include <cmath>

#include "engine/autograd/gradient_check.h"
#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

using Inputs = std::vector<Variable>;

TEST(AttentionOpsTest, GradientsWithAndWithoutMask) {
  for (bool causal : {false, true}) {
    const auto attention = [&](const Inputs& x) { return SelfAttention(x[0], {2, causal}); };
    EXPECT_EQ(CheckGradients(attention, {TestValues({2, 5, 18}, -2, 2)}), "") << causal;
  }
}

TEST(AttentionOpsTest, GradientsThroughRotation) {
  const auto attention = [](const Inputs& x) {
    const RotaryEmbedding rotary = RotaryEmbedding::Make(7, 4, 100, x[0].value().dtype());
    return SelfAttention(x[0], {2, true, &rotary});
  };
  EXPECT_EQ(CheckGradients(attention, {TestValues({1, 5, 24}, -2, 2)}), "");
}

// softmax([q k0, q k1] / sqrt(1)) over v = (10, 20), by hand.
TEST(AttentionOpsTest, WeighsValuesByTheSoftmaxOfScaledProducts) {
  const Variable x(Tensor::FromVector({1, 2, 3}, std::vector<float>{1, 1, 10, 2, 0.5f, 20}));
  const Tensor y = SelfAttention(x, {1, false}).value();
  const double odds = std::exp(0.5);  // row 0: exp(1 - 0.5)
  EXPECT_NEAR(y.data<float>()[0], (10 * odds + 20) / (odds + 1), 1e-5);
  const double second = std::exp(1.0);  // row 1: exp(2 - 1)
  EXPECT_NEAR(y.data<float>()[1], (10 * second + 20) / (second + 1), 1e-5);
  EXPECT_EQ(SelfAttention(x, {1, true}).value().data<float>()[0], 10.0f);
}

// Scores of rotated q and k depend on how far apart they are, not on where.
TEST(AttentionOpsTest, RotationIsRelative) {
  const RotaryEmbedding rotary = RotaryEmbedding::Make(6, 4, 50);
  const std::vector<float> row = {0.3f, -1, 0.7f, 0.2f, 1, 0.4f, -0.6f, 0.9f, 0, 0, 0, 0};
  const auto weight_of_first = [&](int64_t length) {
    Tensor x = Tensor::Empty({1, length, 12});
    for (int64_t i = 0; i < length; ++i) {
      for (int c = 0; c < 12; ++c) x.data<float>()[i * 12 + c] = row[c];
    }
    for (int64_t i = 0; i < length; ++i) x.data<float>()[i * 12 + 8] = i + 2 == length ? 1.0f : 0;
    const Tensor y = SelfAttention(Variable(x), {1, true, &rotary}).value();
    // p of the last row's neighbour over p of itself.
    for (int64_t i = 0; i < length; ++i) x.data<float>()[i * 12 + 8] = i + 1 == length ? 1.0f : 0;
    const Tensor z = SelfAttention(Variable(x), {1, true, &rotary}).value();
    return y.data<float>()[(length - 1) * 4] / z.data<float>()[(length - 1) * 4];
  };
  EXPECT_NEAR(weight_of_first(2), weight_of_first(6), 1e-5);
}

TEST(AttentionOpsTest, ExamplesDoNotSeeEachOther) {
  const Tensor x = TestValues({3, 9, 12});
  const Tensor whole = SelfAttention(Variable(x), {2, true}).value();
  for (int64_t i = 0; i < 3; ++i) {
    const Tensor one = SelfAttention(Variable(x.Rows(i, i + 1)), {2, true}).value();
    EXPECT_EQ(whole.Rows(i, i + 1).ToString(), one.ToString());
  }
}

TEST(AttentionOpsDeathTest, NamesTheShapeThatDoesNotFit) {
  EXPECT_DEATH(SelfAttention(Variable(Tensor::Zeros({2, 5, 10})), {2, true}),
               "got shape \\[2, 5, 10\\], want \\[n, positions, 3 \\* 2 \\* head_dim\\]");
  const RotaryEmbedding rotary = RotaryEmbedding::Make(4, 2, 100);
  EXPECT_DEATH(SelfAttention(Variable(Tensor::Zeros({2, 5, 12})), {2, true, &rotary}),
               "table of \\[4, 1\\] does not fit 5 positions and heads of 2");
}

}  // namespace
}  // namespace lockstep::autograd
