#include "engine/optim/parameter_updater.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "engine/kernels/bit_equality.h"
#include "engine/optim/adam.h"
#include "engine/optim/lamb.h"
#include "engine/optim/muon.h"
#include "engine/optim/sgd.h"

namespace lockstep::optim {
namespace {

using kernels::BitEqual;
using kernels::RandomFloats;

nn::ParameterLayout Layout() {
  return nn::ParameterLayout(
      {{"0.weight", Shape{50, 30}}, {"0.bias", Shape{50}}, {"1.weight", Shape{700, 100}}});
}

std::shared_ptr<const Optimizer> PlainSgd(double learning_rate) {
  SgdOptions options;
  options.learning_rate = learning_rate;
  return std::make_shared<Sgd>(options);
}

// The parameters after some steps of random gradients, updated in pieces.
std::vector<float> Train(ParameterUpdater& updater, int64_t piece, int steps = 3) {
  const int64_t size = updater.layout().total_elements();
  Tensor parameters = Tensor::FromVector(Shape{size}, RandomFloats(size, 99));
  updater.StartAverage(parameters);
  std::vector<float> p = RandomFloats(size, 99);
  for (int step = 0; step < steps; ++step) {
    const std::vector<float> gradient = RandomFloats(size, step);
    std::vector<float> next(size, NAN);
    for (int64_t begin = 0; begin < size; begin += piece) {
      const int64_t count = std::min(piece, size - begin);
      UpdateStep update;
      update.step = step;
      update.batch_size = 7;
      update.learning_rate_factor = 0.5;
      updater.Update(update, begin, absl::MakeConstSpan(gradient).subspan(begin, count),
                     absl::MakeConstSpan(p).subspan(begin, count),
                     absl::MakeSpan(next).subspan(begin, count));
    }
    p = next;
  }
  return p;
}

// A group with its own rate, a frozen parameter, value clipping and an average.
UpdateRules Mixed() {
  UpdateRules rules = UpdateRules::Uniform(Layout(), std::make_shared<Adam>(AdamOptions{}));
  rules.rules[0].learning_rate_factor = 0.1;
  rules.rules[1].optimizer = nullptr;
  rules.clipping.max_value = 0.1;
  rules.average_decay = 0.9;
  return rules;
}

TEST(ParameterUpdaterTest, AnyCutIntoPiecesGivesTheSameBits) {
  ParameterUpdater whole(Layout(), Mixed());
  ASSERT_FALSE(whole.NeedsWholeGradient());
  const int64_t size = whole.layout().total_elements();
  const std::vector<float> want = Train(whole, size);
  for (const int64_t piece : {16, 1024, 1500, 65536}) {
    ParameterUpdater pieces(Layout(), Mixed());
    EXPECT_TRUE(BitEqual(want, Train(pieces, piece))) << piece;
    const std::vector<NamedState> expected = whole.State();
    const std::vector<NamedState> got = pieces.State();
    ASSERT_EQ(expected.size(), got.size());
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(expected[i].name, got[i].name);
      const Tensor a = expected[i].tensor.Clone(), b = got[i].tensor.Clone();
      EXPECT_TRUE(std::equal(a.data<float>(), a.data<float>() + a.element_count(), b.data<float>()))
          << got[i].name;
    }
  }
}

TEST(ParameterUpdaterTest, FrozenParametersKeepTheirValueAndHaveNoState) {
  ParameterUpdater updater(Layout(), Mixed());
  const std::vector<float> after = Train(updater, updater.layout().total_elements());
  const std::vector<float> before = RandomFloats(after.size(), 99);
  const nn::ParameterSlot& bias = updater.layout().slots()[1];
  for (int64_t i = 0; i < bias.element_count; ++i) {
    EXPECT_EQ(after[bias.offset_elements + i], before[bias.offset_elements + i]);
  }
  EXPECT_NE(after[0], before[0]);
  std::vector<std::string> names;
  for (const NamedState& state : updater.State()) names.push_back(state.name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"first_moment.0.weight", "first_moment.1.weight",
                                      "second_moment.0.weight", "second_moment.1.weight",
                                      "average.0.weight", "average.0.bias", "average.1.weight"}));
}

TEST(ParameterUpdaterTest, TheNormOfAllGradientsIsScaledDown) {
  const nn::ParameterLayout layout({{"a", Shape{1}}, {"b", Shape{1}}, {"frozen", Shape{1}}});
  UpdateRules rules = UpdateRules::Uniform(layout, PlainSgd(1));
  rules.rules[2].optimizer = nullptr;
  rules.clipping.max_norm = 1;
  ParameterUpdater updater(layout, rules);
  EXPECT_TRUE(updater.NeedsWholeGradient());
  std::vector<float> gradient(48), p(48);
  gradient[0] = 6, gradient[16] = 8, gradient[32] = 1000;  // length 5 over 2 examples
  UpdateStep step;
  step.batch_size = 2;
  updater.Update(step, 0, gradient, p, absl::MakeSpan(p));
  EXPECT_NEAR(p[0], -0.6, 1e-6);
  EXPECT_NEAR(p[16], -0.8, 1e-6);
  EXPECT_EQ(p[32], 0);
  gradient[0] = 1, gradient[16] = 0;  // short enough
  std::fill(p.begin(), p.end(), 0.0f);
  updater.Update(step, 0, gradient, p, absl::MakeSpan(p));
  EXPECT_EQ(p[0], -0.5f);
}

TEST(ParameterUpdaterTest, WholeTensorOptimizersGiveTheSameBitsOnEverySetAndThreadCount) {
  const auto rules = [] {
    UpdateRules rules = UpdateRules::Uniform(Layout(), std::make_shared<Lamb>(LambOptions{}));
    rules.rules[0].optimizer = std::make_shared<Muon>(MuonOptions{}, 50, 30);
    rules.rules[1].optimizer = std::make_shared<Adam>(AdamOptions{});
    rules.clipping.max_norm = 3;
    return rules;
  };
  ParameterUpdater updater(Layout(), rules());
  ASSERT_TRUE(updater.NeedsWholeGradient());
  EXPECT_EQ(updater.State()[0].name, "momentum.0.weight");
  const std::vector<float> want = Train(updater, updater.layout().total_elements());
  kernels::OnEverySetAndThreadCount([&] {
    ParameterUpdater other(Layout(), rules());
    EXPECT_TRUE(BitEqual(want, Train(other, other.layout().total_elements())));
  });
}

TEST(ParameterUpdaterTest, TheAverageFollowsTheParameters) {
  const nn::ParameterLayout layout({{"a", Shape{1}}});
  UpdateRules rules = UpdateRules::Uniform(layout, PlainSgd(1));
  rules.average_decay = 0.75;
  ParameterUpdater updater(layout, rules);
  std::vector<float> gradient(16), p(16);
  updater.StartAverage(Tensor::Zeros(Shape{16}));
  gradient[0] = -4;
  updater.Update({}, 0, gradient, p, absl::MakeSpan(p));
  EXPECT_EQ(p[0], 4);
  EXPECT_EQ(updater.State()[0].tensor.data<float>()[0], 1);
}

TEST(ParameterUpdaterTest, DescribesEachOptimizerOnce) {
  UpdateRules rules = UpdateRules::Uniform(Layout(), PlainSgd(1));
  rules.rules[1].optimizer = PlainSgd(2);
  EXPECT_EQ(ParameterUpdater(Layout(), rules).Describe(),
            "Sgd(learning_rate=1, momentum=0, weight_decay=0, nesterov=False), "
            "Sgd(learning_rate=2, momentum=0, weight_decay=0, nesterov=False)");
}

}  // namespace
}  // namespace lockstep::optim
