#include "engine/model/token_sampler.h"

#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"

namespace lockstep {
namespace {

SamplingOptions Options(float temperature, int64_t top_k = 0, uint64_t seed = 1) {
  SamplingOptions options;
  options.temperature = temperature;
  options.top_k = top_k;
  options.seed = seed;
  return options;
}

// How often each token is drawn at 4000 steps.
std::vector<int> Counts(const std::vector<float>& logits, const SamplingOptions& options) {
  std::vector<int> counts(logits.size());
  for (uint64_t step = 0; step < 4000; ++step) ++counts[SampleToken(logits, options, step)];
  return counts;
}

TEST(TokenSamplerTest, TemperatureZeroTakesTheFirstGreatest) {
  EXPECT_EQ(SampleToken({1, 3, 3, 2}, Options(0), 5), 1);
}

TEST(TokenSamplerTest, DrawsBySoftmaxOfTheLogitsOverTheTemperature) {
  const std::vector<float> logits = {0, std::log(2.0f), std::log(5.0f)};
  const std::vector<int> counts = Counts(logits, Options(1));
  EXPECT_NEAR(counts[0], 500, 80);
  EXPECT_NEAR(counts[1], 1000, 100);
  EXPECT_NEAR(counts[2], 2500, 120);
  // Weights 1, 4, 25.
  EXPECT_NEAR(Counts(logits, Options(0.5f))[2], 4000 * 25 / 30, 120);
}

TEST(TokenSamplerTest, TopKLeavesOutTheUnlikelyAndOfEqualOnesTheLater) {
  const std::vector<int> counts = Counts({1, 0, 1, 1}, Options(1, 2));
  EXPECT_EQ(counts[1] + counts[3], 0);
  EXPECT_GT(counts[0], 1800);
  EXPECT_GT(counts[2], 1800);
  EXPECT_EQ(Counts({1, 0, 1, 1}, Options(1, 1))[0], 4000);
  EXPECT_GT(Counts({1, 0, 1, 1}, Options(1, 9))[1], 0);
}

TEST(TokenSamplerTest, SeedAndStepDecide) {
  const std::vector<float> logits(1000, 0.5f);
  const int64_t token = SampleToken(logits, Options(1), 7);
  EXPECT_EQ(SampleToken(logits, Options(1), 7), token);
  EXPECT_NE(SampleToken(logits, Options(1), 8), token);
  EXPECT_NE(SampleToken(logits, Options(1, 0, 2), 7), token);
}

TEST(TokenSamplerTest, AnInfiniteLogitIsTaken) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(SampleToken({1, infinity, 3}, Options(1), 0), 1);
  EXPECT_EQ(SampleToken({-infinity, 2, -infinity}, Options(1), 0), 1);
}

}  // namespace
}  // namespace lockstep
