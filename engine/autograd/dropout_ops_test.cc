#include "engine/autograd/dropout_ops.h"

#include <vector>

#include "engine/autograd/gradient_check.h"
#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

using Inputs = std::vector<Variable>;

TEST(DropoutOpsTest, TheGradientIsThatOfWhatWasKept) {
  const Variable x(Tensor::Full({4, 50}, 3), true);
  const Variable y = Dropout(x, 0.5f, {1, 2, 3, 4});
  y.Backward(Tensor::Full({4, 50}, 1));
  int kept = 0;
  for (int64_t i = 0; i < 200; ++i) {
    const float value = y.value().data<float>()[i];
    EXPECT_EQ(x.grad().data<float>()[i], value == 0 ? 0 : 2);
    EXPECT_TRUE(value == 0 || value == 6) << value;
    kept += value != 0;
  }
  EXPECT_GT(kept, 60);
  EXPECT_LT(kept, 140);
}

TEST(DropoutOpsTest, Gradients) {
  EXPECT_EQ(CheckGradients(
                [](const Inputs& v) {
                  return Dropout(v[0], 0.3f, {1, 2, 3, 4});
                },
                {TestValues({3, 5})}),
            "");
}

TEST(DropoutOpsTest, ShardsDropWhatTheWholeBatchDrops) {
  const Variable x(TestValues({6, 20}, 1, 2));
  const Tensor whole = Dropout(x, 0.5f, {1, 2, 10, 0}).value();
  const Tensor part = Dropout(Variable(x.value().Rows(4, 6)), 0.5f, {1, 2, 14, 0}).value();
  EXPECT_EQ(whole.Rows(4, 6).ToString(), part.ToString());
}

TEST(DropoutOpsDeathTest, NamesTheProbability) {
  EXPECT_DEATH(Dropout(Variable(Tensor::Zeros({2})), 1.5f, {}),
               "dropout: got probability 1.5, want 0 to 1");
}

}  // namespace
}  // namespace lockstep::autograd
