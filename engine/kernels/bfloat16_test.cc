#include "engine/kernels/bfloat16.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "engine/kernels/reference/bfloat16.h"
#include "gtest/gtest.h"

namespace lockstep::kernels {
namespace {

float FromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

uint32_t BitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

// All upper halves with the lower halves at which rounding changes its mind.
std::vector<float> TellingNumbers() {
  std::vector<float> numbers;
  for (uint32_t upper = 0; upper < 0x10000; ++upper) {
    for (const uint32_t lower : {0u, 1u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
      numbers.push_back(FromBits(upper << 16 | lower));
    }
  }
  return numbers;
}

TEST(Bfloat16Test, RoundingEqualsItsDefinitionForEveryUpperHalf) {
  const std::vector<float> numbers = TellingNumbers();
  std::vector<float> rounded = numbers;
  RoundToBfloat16(absl::MakeSpan(rounded));
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (std::isnan(numbers[i])) {
      ASSERT_TRUE(std::isnan(rounded[i])) << std::hex << BitsOf(numbers[i]);
      ASSERT_EQ(BitsOf(rounded[i]) & 0xffff, 0u);
      continue;
    }
    ASSERT_EQ(BitsOf(rounded[i]), BitsOf(reference::RoundToBfloat16(numbers[i])))
        << std::hex << BitsOf(numbers[i]);
  }
}

TEST(Bfloat16Test, KnownValues) {
  std::vector<float> values = {1.0f, 1.00390625f, 1.01171875f, -3.14159265f, 3.4e38f, -0.0f};
  RoundToBfloat16(absl::MakeSpan(values));
  const std::vector<float> want = {
      1.0f, 1.0f, 1.015625f, -3.140625f, std::numeric_limits<float>::infinity(), -0.0f};
  for (size_t i = 0; i < want.size(); ++i) EXPECT_EQ(BitsOf(values[i]), BitsOf(want[i])) << i;
}

TEST(Bfloat16Test, AdditionRoundsTwice) {
  // To float32 first, as the definition says, and then to 8 bits.
  const std::vector<float> numbers = TellingNumbers();
  std::vector<float> sum, other, want;
  for (size_t i = 0; i < numbers.size(); i += 17) {
    const float a = numbers[i], b = numbers[(i * 31 + 7) % numbers.size()];
    if (std::isnan(a + b)) continue;
    sum.push_back(a);
    other.push_back(b);
    want.push_back(reference::RoundToBfloat16(a + b));
  }
  AddRoundedInPlace(absl::MakeSpan(sum), other);
  for (size_t i = 0; i < want.size(); ++i) ASSERT_EQ(BitsOf(sum[i]), BitsOf(want[i])) << i;
}

TEST(Bfloat16Test, RoundedNumbersTravelUnchanged) {
  std::vector<float> values = TellingNumbers();
  RoundToBfloat16(absl::MakeSpan(values));
  std::vector<unsigned char> bytes(2 * values.size());
  PackBfloat16(values, bytes.data());
  std::vector<float> back(values.size(), 1);
  UnpackBfloat16(bytes.data(), absl::MakeSpan(back));
  for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(BitsOf(back[i]), BitsOf(values[i])) << i;
}

TEST(Bfloat16Test, OnlyPositiveZeroIsNothing) {
  std::vector<float> values(1000, 0.0f);
  EXPECT_TRUE(AreAllZero(values));
  EXPECT_TRUE(AreAllZero({}));
  values[999] = -0.0f;
  EXPECT_FALSE(AreAllZero(values));
  values[999] = std::numeric_limits<float>::denorm_min();
  EXPECT_FALSE(AreAllZero(values));
}

}  // namespace
}  // namespace lockstep::kernels
