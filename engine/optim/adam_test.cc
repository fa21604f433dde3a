#include "engine/optim/adam.h"

#include <algorithm>
#include <vector>

#include "gtest/gtest.h"

namespace lockstep::optim {
namespace {

struct State {
  std::vector<float> parameter, first_moment, second_moment;
};

void Step(const Adam& adam, uint64_t step, absl::Span<const float> gradient, int64_t begin,
          int64_t end, State* state) {
  const absl::Span<float> moments[] = {
      absl::MakeSpan(state->first_moment).subspan(begin, end - begin),
      absl::MakeSpan(state->second_moment).subspan(begin, end - begin)};
  const absl::Span<float> parameter = absl::MakeSpan(state->parameter).subspan(begin, end - begin);
  UpdateStep update;
  update.step = step;
  adam.Update(update, gradient.subspan(begin, end - begin), parameter, moments, parameter);
}

TEST(AdamTest, ThreeStepsAsTorch) {
  AdamOptions options;
  options.learning_rate = 0.1;
  const Adam adam(options);
  EXPECT_EQ(adam.state_names(), (std::vector<std::string>{"first_moment", "second_moment"}));
  State state{{1}, {0}, {0}};
  const float gradients[] = {0.5f, -1, 0.25f};
  const double want[] = {0.900000002, 0.9366103542, 0.9502794203};
  for (int step = 0; step < 3; ++step) {
    Step(adam, step, absl::MakeConstSpan(gradients + step, 1), 0, 1, &state);
    EXPECT_NEAR(state.parameter[0], want[step], 1e-6) << step;
  }
}

TEST(AdamTest, WeightDecayIsAddedToTheGradient) {
  AdamOptions options;
  options.learning_rate = 0.1;
  options.weight_decay = 0.5;
  State state{{1}, {0}, {0}};
  const float gradient[] = {0};
  Step(Adam(options), 0, gradient, 0, 1, &state);
  EXPECT_NEAR(state.parameter[0], 0.9, 1e-6);
  EXPECT_NEAR(state.first_moment[0], 0.05, 1e-6);
}

TEST(AdamTest, DecoupledDecayPassesTheMomentsBy) {
  AdamOptions options;
  options.learning_rate = 0.1;
  options.weight_decay = 0.5;
  options.decoupled = true;
  State state{{1}, {0}, {0}};
  const float gradient[] = {0};
  Step(Adam(options), 0, gradient, 0, 1, &state);
  EXPECT_FLOAT_EQ(state.parameter[0], 0.95f);
  EXPECT_EQ(state.first_moment[0], 0);
  EXPECT_EQ(Adam(options).Describe(),
            "AdamW(learning_rate=0.1, beta1=0.9, beta2=0.999, epsilon=1e-08, weight_decay=0.5)");
}

TEST(AdamTest, PiecesGiveTheBitsOfTheWhole) {
  const Adam adam(AdamOptions{});
  const int64_t n = 1000;
  std::vector<float> gradient(n);
  for (int64_t i = 0; i < n; ++i) gradient[i] = static_cast<float>(i % 37) / 7.0f - 2.5f;
  State whole{std::vector<float>(n, 1), std::vector<float>(n, 0), std::vector<float>(n, 0)};
  State pieces = whole;
  for (uint64_t step = 0; step < 3; ++step) {
    Step(adam, step, gradient, 0, n, &whole);
    for (int64_t begin = 0; begin < n; begin += 173) {
      Step(adam, step, gradient, begin, std::min(n, begin + 173), &pieces);
    }
  }
  EXPECT_EQ(whole.parameter, pieces.parameter);
  EXPECT_EQ(whole.second_moment, pieces.second_moment);
}

}  // namespace
}  // namespace lockstep::optim
