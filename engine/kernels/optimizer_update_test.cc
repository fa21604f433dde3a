#include "engine/kernels/optimizer_update.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "engine/kernels/bit_equality.h"
#include "engine/kernels/reference/optimizer_update.h"

namespace lockstep::kernels {
namespace {

using ConstSpan = absl::Span<const float>;
using Span = absl::Span<float>;

const int64_t kSizes[] = {0, 1, 7, 8, 15, 16, 17, 100, 70001};

// Whether and how a gradient is clipped.
const GradientScale kScales[] = {{96, 0, 1}, {96, 0.007f, 1}, {96, 0, 0.3f}, {3, 0.25f, 0.5f}};

// One update: gradient sum, parameters, states, new parameters.
using Update = std::function<void(ConstSpan, ConstSpan, const std::vector<Span>&, Span)>;

std::vector<Span> SpansOf(std::vector<std::vector<float>>& states) {
  std::vector<Span> spans;
  for (std::vector<float>& state : states) spans.push_back(absl::MakeSpan(state));
  return spans;
}

// The kernel, in place, gives the twin's parameters and states. States are not
// negative, as sums of squares are not.
void ExpectEqualTwins(int states, const Update& kernel, const Update& twin) {
  for (const int64_t size : kSizes) {
    const std::vector<float> sum = RandomFloats(size, 1);
    const std::vector<float> p = RandomFloats(size, 2);
    std::vector<std::vector<float>> want_states;
    for (int i = 0; i < states; ++i) {
      want_states.push_back(RandomFloats(size, 3 + i));
      for (float& value : want_states.back()) value = std::fabs(value);
    }
    std::vector<std::vector<float>> got_states = want_states;
    std::vector<float> want(size);
    std::vector<float> got = p;
    twin(sum, p, SpansOf(want_states), absl::MakeSpan(want));
    kernel(sum, got, SpansOf(got_states), absl::MakeSpan(got));
    EXPECT_TRUE(BitEqual(want, got)) << size;
    for (int i = 0; i < states; ++i) {
      EXPECT_TRUE(BitEqual(want_states[i], got_states[i])) << size << " state " << i;
    }
  }
}

TEST(OptimizerUpdateTest, SgdEqualsItsTwin) {
  std::vector<SgdStep> steps;
  for (const GradientScale& scale : kScales) {
    for (float momentum : {0.0f, 0.9f}) {
      for (float weight_decay : {0.0f, 1e-4f}) {
        for (bool nesterov : {false, true}) {
          for (bool first : {false, true}) {
            steps.push_back({scale, 0.1f, momentum, weight_decay, nesterov, first});
          }
        }
      }
    }
  }
  OnEverySetAndThreadCount([&] {
    for (const SgdStep& step : steps) {
      const bool has_velocity = step.momentum != 0;
      ExpectEqualTwins(
          has_velocity ? 1 : 0,
          [&](ConstSpan sum, ConstSpan p, const std::vector<Span>& s, Span out) {
            SgdUpdate(step, sum, p, has_velocity ? s[0] : Span(), out);
          },
          [&](ConstSpan sum, ConstSpan p, const std::vector<Span>& s, Span out) {
            reference::SgdUpdate(step, sum, p, has_velocity ? s[0] : Span(), out);
          });
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
    for (const GradientScale& scale : kScales) {
      for (const bool amsgrad : {false, true}) {
        AdamStep step;
        step.gradient = scale;
        step.step_size = 0.01f;
        step.bias_correction2_root = 0.0316f;
        step.weight_decay = amsgrad ? 0.01f : 0;
        step.decay = amsgrad ? 1 : 0.999f;
        ExpectEqualTwins(
            amsgrad ? 3 : 2,
            [&](ConstSpan sum, ConstSpan p, const std::vector<Span>& s, Span out) {
              AdamUpdate(step, sum, p, s[0], s[1], amsgrad ? s[2] : Span(), out);
            },
            [&](ConstSpan sum, ConstSpan p, const std::vector<Span>& s, Span out) {
              reference::AdamUpdate(step, sum, p, s[0], s[1], amsgrad ? s[2] : Span(), out);
            });
      }
    }
  });
}

TEST(OptimizerUpdateTest, RmspropEqualsItsTwin) {
  OnEverySetAndThreadCount([] {
    for (const bool centered : {false, true}) {
      for (const float momentum : {0.0f, 0.9f}) {
        const RmspropStep step{kScales[1], 0.01f, 0.99f, 0.01f, 1e-8f, momentum, 0.01f};
        const auto run = [&](const auto& update) {
          return [&](ConstSpan sum, ConstSpan p, const std::vector<Span>& s, Span out) {
            update(step, sum, p, s[0], centered ? s[1] : Span(), momentum != 0 ? s[2] : Span(),
                   out);
          };
        };
        ExpectEqualTwins(3, run(RmspropUpdate), run(reference::RmspropUpdate<float>));
      }
    }
  });
}

TEST(OptimizerUpdateTest, AdagradEqualsItsTwin) {
  OnEverySetAndThreadCount([] {
    for (const bool first : {false, true}) {
      const AdagradStep step{kScales[0], 0.01f, 1e-10f, 0.01f, first, 0.1f};
      const auto run = [&](const auto& update) {
        return [&](ConstSpan sum, ConstSpan p, const std::vector<Span>& s, Span out) {
          update(step, sum, p, s[0], out);
        };
      };
      ExpectEqualTwins(1, run(AdagradUpdate), run(reference::AdagradUpdate<float>));
    }
  });
}

TEST(OptimizerUpdateTest, AdadeltaEqualsItsTwin) {
  OnEverySetAndThreadCount([] {
    const AdadeltaStep step{kScales[2], 1, 0.9f, 0.1f, 1e-6f, 0.01f};
    const auto run = [&](const auto& update) {
      return [&](ConstSpan sum, ConstSpan p, const std::vector<Span>& s, Span out) {
        update(step, sum, p, s[0], s[1], out);
      };
    };
    ExpectEqualTwins(2, run(AdadeltaUpdate), run(reference::AdadeltaUpdate<float>));
  });
}

TEST(OptimizerUpdateTest, LionEqualsItsTwin) {
  OnEverySetAndThreadCount([] {
    const LionStep step{kScales[3], 0.01f, 0.9f, 0.1f, 0.99f, 0.01f, 0.999f};
    const auto run = [&](const auto& update) {
      return [&](ConstSpan sum, ConstSpan p, const std::vector<Span>& s, Span out) {
        update(step, sum, p, s[0], out);
      };
    };
    ExpectEqualTwins(1, run(LionUpdate), run(reference::LionUpdate<float>));
  });
}

TEST(OptimizerUpdateTest, ClippingKeepsNanAndZero) {
  SgdStep step;
  step.gradient.limit = 1;
  step.learning_rate = 1;
  const std::vector<float> sum = {std::nanf(""), INFINITY, -INFINITY, 0.0f, 5, -0.5f};
  std::vector<float> p(6, 0.0f);
  SgdUpdate(step, sum, p, {}, absl::MakeSpan(p));
  EXPECT_TRUE(BitEqual({std::nanf(""), -1, 1, 0, -1, 0.5f}, p));
}

TEST(OptimizerUpdateTest, RunningStatisticEqualsItsTwin) {
  OnEverySetAndThreadCount([] {
    for (const int64_t size : kSizes) {
      const std::vector<float> observed = WildFloats(size, 1);
      const std::vector<float> old = WildFloats(size, 2);
      std::vector<float> want(size), got(size);
      reference::RunningStatisticUpdate<float>(0.1f, 7, observed, old, absl::MakeSpan(want));
      RunningStatisticUpdate(0.1f, 7, observed, old, absl::MakeSpan(got));
      EXPECT_TRUE(BitEqual(want, got)) << size;
    }
  });
}

TEST(OptimizerUpdateTest, AddInPlaceEqualsItsTwin) {
  OnEverySetAndThreadCount([] {
    for (int64_t size : kSizes) {
      std::vector<float> want = WildFloats(size, 1);
      std::vector<float> got = want;
      const std::vector<float> other = WildFloats(size, 2);
      reference::AddInPlace<float>(absl::MakeSpan(want), other);
      AddInPlace(absl::MakeSpan(got), other);
      EXPECT_TRUE(BitEqual(want, got)) << size;
    }
  });
}

}  // namespace
}  // namespace lockstep::kernels
