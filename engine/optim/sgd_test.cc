#include "engine/optim/sgd.h"

#include <vector>

#include "gtest/gtest.h"

namespace lockstep::optim {
namespace {

// A parameter of 1 and its values after each gradient.
std::vector<float> Train(const Optimizer& optimizer, const std::vector<float>& gradients,
                         double batch_size = 1, double factor = 1) {
  std::vector<float> parameter = {1};
  std::vector<std::vector<float>> state(optimizer.state_count(), {0.0f});
  std::vector<float> values;
  for (size_t step = 0; step < gradients.size(); ++step) {
    std::vector<absl::Span<float>> spans;
    for (std::vector<float>& vector : state) spans.push_back(absl::MakeSpan(vector));
    const float gradient_sum[] = {gradients[step]};
    UpdateStep update;
    update.step = step;
    update.batch_size = batch_size;
    update.learning_rate_factor = factor;
    optimizer.Update(update, gradient_sum, parameter, spans, absl::MakeSpan(parameter));
    values.push_back(parameter[0]);
  }
  return values;
}

TEST(SgdTest, PlainStepsNeedNoState) {
  SgdOptions options;
  options.learning_rate = 0.5;
  const Sgd sgd(options);
  EXPECT_EQ(sgd.state_count(), 0);
  EXPECT_EQ(Train(sgd, {1, -1}), (std::vector<float>{0.5, 1}));
}

TEST(SgdTest, MomentumAsTorch) {
  SgdOptions options;
  options.learning_rate = 0.1;
  options.momentum = 0.9;
  const Sgd sgd(options);
  EXPECT_EQ(sgd.state_names(), (std::vector<std::string>{"velocity"}));
  const std::vector<float> values = Train(sgd, {0.5, -1, 0.25});
  EXPECT_NEAR(values[0], 0.95, 1e-6);
  EXPECT_NEAR(values[1], 1.005, 1e-6);
  EXPECT_NEAR(values[2], 1.0295, 1e-6);
}

TEST(SgdTest, NesterovLooksAhead) {
  SgdOptions options;
  options.learning_rate = 0.1;
  options.momentum = 0.5;
  options.nesterov = true;
  // v = 1: p = 1 - 0.1 (1 + 0.5); v = 1.5: p -= 0.1 (1 + 0.75).
  const std::vector<float> values = Train(Sgd(options), {1, 1});
  EXPECT_NEAR(values[0], 0.85, 1e-6);
  EXPECT_NEAR(values[1], 0.675, 1e-6);
}

TEST(SgdTest, WeightDecayPullsToZero) {
  SgdOptions options;
  options.learning_rate = 0.1;
  options.weight_decay = 0.5;
  EXPECT_NEAR(Train(Sgd(options), {0})[0], 0.95, 1e-6);
}

TEST(SgdTest, TheSumIsDividedByTheBatchAndTheRateMultipliedByTheFactor) {
  SgdOptions options;
  options.learning_rate = 1;
  EXPECT_EQ(Train(Sgd(options), {8}, /*batch_size=*/16, /*factor=*/0.5)[0], 0.75);
}

TEST(SgdTest, Describes) {
  EXPECT_EQ(Sgd(SgdOptions()).Describe(),
            "Sgd(learning_rate=0.01, momentum=0, weight_decay=0, nesterov=False)");
}

}  // namespace
}  // namespace lockstep::optim
