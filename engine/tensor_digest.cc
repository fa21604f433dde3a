#include "engine/tensor_digest.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

namespace lockstep {
namespace {

constexpr uint64_t kLaneFactor = 0x9e3779b97f4a7c15;
constexpr uint64_t kMixFactor = 0xff51afd7ed558ccd;
constexpr size_t kLanes = 8;
constexpr size_t kBlockElements = kLanes * sizeof(uint64_t) / sizeof(float);

using Lanes = std::array<uint64_t, kLanes>;

uint64_t RotateLeft(uint64_t value, int bits) { return value << bits | value >> (64 - bits); }

void AddBlock(const void* block, Lanes& lanes) {
  Lanes words;
  std::memcpy(words.data(), block, sizeof(words));
  for (size_t i = 0; i < kLanes; ++i) {
    const uint64_t lane = RotateLeft(lanes[i] ^ words[i], 29) * kLaneFactor;
    lanes[i] = lane ^ (lane >> 32);
  }
}

}  // namespace

uint64_t MixDigests(uint64_t a, uint64_t b) {
  const uint64_t h = (RotateLeft(a, 31) ^ b) * kMixFactor;
  return h ^ (h >> 33);
}

uint64_t DigestOf(absl::Span<const float> values) {
  Lanes lanes;
  for (size_t i = 0; i < kLanes; ++i) lanes[i] = i + 1;
  size_t at = 0;
  for (; at + kBlockElements <= values.size(); at += kBlockElements) {
    AddBlock(values.data() + at, lanes);
  }
  if (at < values.size()) {
    std::array<float, kBlockElements> last = {};
    std::copy(values.begin() + static_cast<std::ptrdiff_t>(at), values.end(), last.begin());
    AddBlock(last.data(), lanes);
  }
  uint64_t digest = values.size();
  for (const uint64_t lane : lanes) digest = MixDigests(digest, lane);
  return digest;
}

}  // namespace lockstep
