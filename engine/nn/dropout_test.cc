#include "engine/nn/dropout.h"

#include "engine/nn/training_scope.h"
#include "gtest/gtest.h"

namespace lockstep::nn {
namespace {

using autograd::Variable;

TEST(DropoutTest, EvaluationChangesNothing) {
  const Variable x(Tensor::Full({2, 3}, 1));
  EXPECT_TRUE(Dropout(0.5f).Forward(x).value().SharesElementsWith(x.value()));
}

TEST(DropoutTest, TrainingDropsByKeyStepExampleAndLayer) {
  const Variable x(Tensor::Full({2, 200}, 1));
  const Dropout layer(0.5f);
  const auto text = [&](const TrainingScope::Options& options, int skipped_layers) {
    TrainingScope scope(options);
    for (int i = 0; i < skipped_layers; ++i) scope.NextRandomLayer();
    std::string drops;
    for (float value : layer.Forward(x).value().span<float>()) drops += value == 0 ? '0' : '2';
    return drops;
  };
  const std::string first = text({1, 2, 3}, 0);
  EXPECT_EQ(first, text({1, 2, 3}, 0));
  EXPECT_NE(first, text({9, 2, 3}, 0));
  EXPECT_NE(first, text({1, 9, 3}, 0));
  EXPECT_NE(first, text({1, 2, 9}, 0));
  EXPECT_NE(first, text({1, 2, 3}, 1));
  EXPECT_EQ(first.substr(200), text({1, 2, 4}, 0).substr(0, 200));
}

TEST(DropoutTest, DescribesItselfAsTorchDoes) {
  EXPECT_EQ(Dropout(0.25f).Describe(), "Dropout(p=0.25, inplace=False)");
}

}  // namespace
}  // namespace lockstep::nn
