#include "engine/kernels/bfloat16.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "engine/check.h"

namespace lockstep::kernels {
namespace {

uint32_t BitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

float FromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

// Adding just under half of the last kept place, and one more where that place
// is odd, carries into it exactly where rounding goes up; a carry out of the
// fraction makes the next power of two, out of the greatest one infinity.
float Round(float value) {
  const uint32_t bits = BitsOf(value);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) & 0xffff0000u;
  const uint32_t quiet = (bits | 0x00400000u) & 0xffff0000u;  // a NaN that stays one
  return FromBits(value != value ? quiet : rounded);
}

}  // namespace

void RoundToBfloat16(absl::Span<float> values) {
  for (float& value : values) value = Round(value);
}

void AddRoundedInPlace(absl::Span<float> sum, absl::Span<const float> other) {
  LOCKSTEP_CHECK_EQ(sum.size(), other.size());
  float* const into = sum.data();
  const float* const from = other.data();
  for (size_t i = 0; i < sum.size(); ++i) into[i] = Round(into[i] + from[i]);
}

void PackBfloat16(absl::Span<const float> values, void* bytes) {
  auto* const out = static_cast<unsigned char*>(bytes);
  for (size_t i = 0; i < values.size(); ++i) {
    const auto upper = static_cast<uint16_t>(BitsOf(values[i]) >> 16);
    std::memcpy(out + 2 * i, &upper, sizeof(upper));
  }
}

void UnpackBfloat16(const void* bytes, absl::Span<float> values) {
  const auto* const in = static_cast<const unsigned char*>(bytes);
  for (size_t i = 0; i < values.size(); ++i) {
    uint16_t upper;
    std::memcpy(&upper, in + 2 * i, sizeof(upper));
    values[i] = FromBits(static_cast<uint32_t>(upper) << 16);
  }
}

bool AreAllZero(absl::Span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float value) { return BitsOf(value) == 0; });
}

}  // namespace lockstep::kernels
