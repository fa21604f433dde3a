#include "engine/kernels/optimizer_update.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "engine/kernels/bit_equality.h"
#include "engine/kernels/reference/optimizer_update.h"

namespace lockstep::kernels {
namespace {

const int64_t kSizes[] = {0, 1, 7, 8, 15, 16, 17, 100, 70001};

std::vector<SgdStep> SgdSteps() {
  std::vector<SgdStep> steps;
  for (float momentum : {0.0f, 0.9f}) {
    for (float weight_decay : {0.0f, 1e-4f}) {
      for (bool nesterov : {false, true}) {
        for (bool first : {false, true}) {
          steps.push_back({96, 0.1f, momentum, weight_decay, nesterov, first});
        }
      }
    }
  }
  return steps;
}

TEST(OptimizerUpdateTest, SgdEqualsItsTwin) {
  OnEverySetAndThreadCount([] {
    for (int64_t size : kSizes) {
      const std::vector<float> sum = RandomFloats(size, 1);
      const std::vector<float> p = RandomFloats(size, 2);
      for (const SgdStep& step : SgdSteps()) {
        std::vector<float> want_v = RandomFloats(step.momentum != 0.0f ? size : 0, 3);
        std::vector<float> got_v = want_v;
        std::vector<float> want(size);
        std::vector<float> got = p;  // in place
        reference::SgdUpdate(step, sum, p, absl::MakeSpan(want_v), absl::MakeSpan(want));
        SgdUpdate(step, sum, got, absl::MakeSpan(got_v), absl::MakeSpan(got));
        EXPECT_TRUE(BitEqual(want, got)) << size;
        EXPECT_TRUE(BitEqual(want_v, got_v)) << size;
      }
    }
  });
}

TEST(OptimizerUpdateTest, TheFirstStepDoesNotReadTheVelocity) {
  SgdStep step;
  step.momentum = 0.9f;
  step.learning_rate = 0.5f;
  step.first_step = true;
  const std::vector<float> sum = {2.0f};
  std::vector<float> p = {1.0f};
  std::vector<float> velocity = {std::nanf("")};
  SgdUpdate(step, sum, p, absl::MakeSpan(velocity), absl::MakeSpan(p));
  EXPECT_TRUE(BitEqual({2.0f}, velocity));
  EXPECT_TRUE(BitEqual({0.0f}, p));
}

TEST(OptimizerUpdateTest, AdamEqualsItsTwin) {
  OnEverySetAndThreadCount([] {
    for (int64_t size : kSizes) {
      for (float weight_decay : {0.0f, 0.01f}) {
        AdamStep step;
        step.batch_size = 96;
        step.step_size = 0.01f;
        step.bias_correction2_root = 0.0316f;
        step.weight_decay = weight_decay;
        const std::vector<float> sum = RandomFloats(size, 1);
        const std::vector<float> p = RandomFloats(size, 2);
        std::vector<float> want_m = RandomFloats(size, 3);
        std::vector<float> want_v = RandomFloats(size, 4);
        for (float& v : want_v) v = std::fabs(v);
        std::vector<float> got_m = want_m;
        std::vector<float> got_v = want_v;
        std::vector<float> want(size);
        std::vector<float> got(size);
        reference::AdamUpdate(step, sum, p, absl::MakeSpan(want_m), absl::MakeSpan(want_v),
                              absl::MakeSpan(want));
        AdamUpdate(step, sum, p, absl::MakeSpan(got_m), absl::MakeSpan(got_v), absl::MakeSpan(got));
        EXPECT_TRUE(BitEqual(want, got)) << size;
        EXPECT_TRUE(BitEqual(want_m, got_m)) << size;
        EXPECT_TRUE(BitEqual(want_v, got_v)) << size;
      }
    }
  });
}

TEST(OptimizerUpdateTest, AddInPlaceEqualsItsTwin) {
  OnEverySetAndThreadCount([] {
    for (int64_t size : kSizes) {
      std::vector<float> want = WildFloats(size, 1);
      std::vector<float> got = want;
      const std::vector<float> other = WildFloats(size, 2);
      reference::AddInPlace(absl::MakeSpan(want), other);
      AddInPlace(absl::MakeSpan(got), other);
      EXPECT_TRUE(BitEqual(want, got)) << size;
    }
  });
}

}  // namespace
}  // namespace lockstep::kernels
