#include "engine/kernels/rotary_table.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

namespace lockstep::kernels {
namespace {

TEST(RotaryTableTest, HoldsCosinesAndSinesOfTheAngles) {
  for (int64_t head_dim : {2, 10, 64}) {
    const int64_t positions = 3000, half = head_dim / 2;
    std::vector<double> cosines(positions * half), sines(positions * half);
    FillRotaryTable(positions, head_dim, 10000, cosines.data(), sines.data());
    std::vector<float> rounded(positions * half), rounded_sines(positions * half);
    FillRotaryTable(positions, head_dim, 10000, rounded.data(), rounded_sines.data());
    for (int64_t i = 0; i < positions * half; ++i) {
      const double exponent = -2.0 * static_cast<double>(i % half) / static_cast<double>(head_dim);
      const double angle = static_cast<double>(i / half) * std::pow(10000.0, exponent);
      ASSERT_NEAR(cosines[i], std::cos(angle), 1e-11) << i;
      ASSERT_NEAR(sines[i], std::sin(angle), 1e-11) << i;
      ASSERT_EQ(rounded[i], static_cast<float>(cosines[i]));
      ASSERT_EQ(rounded_sines[i], static_cast<float>(sines[i]));
    }
  }
}

// Their bits, which no machine may change.
TEST(RotaryTableTest, BitsAreFixed) {
  const int64_t positions = 512, head_dim = 32;
  std::vector<float> cosines(positions * head_dim / 2), sines(positions * head_dim / 2);
  FillRotaryTable(positions, head_dim, 10000, cosines.data(), sines.data());
  uint64_t hash = 1469598103934665603u;  // FNV-1a
  const auto add = [&](const std::vector<float>& values) {
    for (float value : values) {
      uint32_t bits;
      std::memcpy(&bits, &value, sizeof(bits));
      hash = (hash ^ bits) * 1099511628211u;
    }
  };
  add(cosines);
  add(sines);
  EXPECT_EQ(hash, 15757687088071615246u);
}

TEST(RotaryTableDeathTest, NamesWhatDoesNotFit) {
  float x = 0;
  EXPECT_DEATH(FillRotaryTable(1, 3, 10000, &x, &x), "got head_dim 3 and base 10000");
}

}  // namespace
}  // namespace lockstep::kernels
