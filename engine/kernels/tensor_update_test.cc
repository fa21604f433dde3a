#include "engine/kernels/tensor_update.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "engine/kernels/bit_equality.h"
#include "engine/kernels/reference/optimizer_update.h"

namespace lockstep::kernels {
namespace {

const int64_t kSizes[] = {0, 1, 15, 16, 17, 127, 128, 129, 4095, 4096, 4097, 70001};
const GradientScale kScales[] = {{1, 0, 1}, {7, 0.1f, 1}};

uint64_t BitsOf(double value) {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

TEST(TensorUpdateTest, SumOfSquaresEqualsItsTwin) {
  OnEverySetAndThreadCount([] {
    for (const int64_t size : kSizes) {
      for (const GradientScale& scale : kScales) {
        const std::vector<float> x = RandomFloats(size, 1);
        EXPECT_EQ(BitsOf(reference::SumOfSquares<float>(scale, x)), BitsOf(SumOfSquares(scale, x)))
            << size;
      }
    }
  });
}

TEST(TensorUpdateTest, SumOfSquaresShowsWhatIsNotFinite) {
  EXPECT_EQ(SumOfSquares({}, {3, -4}), 25);
  EXPECT_TRUE(std::isnan(SumOfSquares({}, {1, std::nanf(""), 2})));
  EXPECT_TRUE(std::isinf(SumOfSquares({}, {1, -INFINITY, 2})));
  EXPECT_EQ(SumOfSquares({2, 1, 1}, {8, -8, 1}), 2.25);
  // Beyond float32's range, not beyond float64's.
  EXPECT_EQ(SumOfSquares({}, {3e20f, 4e20f}),
            std::pow(double{3e20f}, 2) + std::pow(double{4e20f}, 2));
}

TEST(TensorUpdateTest, WeightedSumEqualsItsTwin) {
  OnEverySetAndThreadCount([] {
    for (const int64_t size : kSizes) {
      const std::vector<float> x = WildFloats(size, 1);
      std::vector<float> got = WildFloats(size, 2);
      std::vector<float> want(size);
      reference::WeightedSum<float>(-0.3f, x, 1.7f, got, absl::MakeSpan(want));
      WeightedSum(-0.3f, x, 1.7f, got, absl::MakeSpan(got));
      EXPECT_TRUE(BitEqual(want, got)) << size;
    }
  });
}

TEST(TensorUpdateTest, DivideInPlaceEqualsItsTwin) {
  OnEverySetAndThreadCount([] {
    for (const int64_t size : kSizes) {
      std::vector<float> want = WildFloats(size, 1);
      std::vector<float> got = want;
      reference::DivideInPlace<float>(3.1f, absl::MakeSpan(want));
      DivideInPlace(3.1f, absl::MakeSpan(got));
      EXPECT_TRUE(BitEqual(want, got)) << size;
    }
  });
}

TEST(TensorUpdateTest, LambDirectionEqualsItsTwin) {
  OnEverySetAndThreadCount([] {
    for (const int64_t size : kSizes) {
      for (const float weight_decay : {0.0f, 0.01f}) {
        LambStep step;
        step.gradient = kScales[1];
        step.bias_correction1 = 0.19f;
        step.bias_correction2_root = 0.0316f;
        step.weight_decay = weight_decay;
        const std::vector<float> sum = RandomFloats(size, 1), p = RandomFloats(size, 2);
        std::vector<float> want_m = RandomFloats(size, 3), want_v = RandomFloats(size, 4);
        for (float& v : want_v) v = std::fabs(v);
        std::vector<float> got_m = want_m, got_v = want_v, want(size), got(size);
        reference::LambDirection<float>(step, sum, p, absl::MakeSpan(want_m),
                                        absl::MakeSpan(want_v), absl::MakeSpan(want));
        LambDirection(step, sum, p, absl::MakeSpan(got_m), absl::MakeSpan(got_v),
                      absl::MakeSpan(got));
        EXPECT_TRUE(BitEqual(want, got)) << size;
        EXPECT_TRUE(BitEqual(want_m, got_m)) << size;
        EXPECT_TRUE(BitEqual(want_v, got_v)) << size;
      }
    }
  });
}

TEST(TensorUpdateTest, MuonMomentumEqualsItsTwin) {
  OnEverySetAndThreadCount([] {
    for (const int64_t size : kSizes) {
      for (const bool nesterov : {false, true}) {
        const MuonStep step{kScales[1], 0.95f, 0.05f, nesterov};
        const std::vector<float> sum = RandomFloats(size, 1);
        std::vector<float> want_b = RandomFloats(size, 2);
        std::vector<float> got_b = want_b, want(size), got(size);
        reference::MuonMomentum<float>(step, sum, absl::MakeSpan(want_b), absl::MakeSpan(want));
        MuonMomentum(step, sum, absl::MakeSpan(got_b), absl::MakeSpan(got));
        EXPECT_TRUE(BitEqual(want, got)) << size;
        EXPECT_TRUE(BitEqual(want_b, got_b)) << size;
      }
    }
  });
}

}  // namespace
}  // namespace lockstep::kernels
