#include "engine/tensor_digest.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <vector>

namespace lockstep {
namespace {

// The definition, word by word.
uint64_t NaiveDigest(const std::vector<float>& values) {
  const auto rotate = [](uint64_t v, int n) { return v << n | v >> (64 - n); };
  std::vector<unsigned char> bytes(values.size() * 4);
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  while (bytes.size() % 64 != 0) bytes.push_back(0);
  uint64_t digest = values.size();
  for (uint64_t lane_index = 0; lane_index < 8; ++lane_index) {
    uint64_t lane = lane_index + 1;
    for (size_t at = lane_index * 8; at < bytes.size(); at += 64) {
      uint64_t word = 0;
      for (int i = 7; i >= 0; --i) word = word << 8 | bytes[at + i];
      lane = rotate(lane ^ word, 29) * 0x9e3779b97f4a7c15;
      lane ^= lane >> 32;
    }
    const uint64_t h = (rotate(digest, 31) ^ lane) * 0xff51afd7ed558ccd;
    digest = h ^ (h >> 33);
  }
  return digest;
}

std::vector<float> Values(size_t count) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = 0.25f * static_cast<float>(i) - 3;
  return values;
}

TEST(TensorDigestTest, IsAsDefined) {
  for (const size_t count : {0, 1, 2, 15, 16, 17, 31, 32, 33, 1000, 65536}) {
    EXPECT_EQ(DigestOf(Values(count)), NaiveDigest(Values(count))) << count;
  }
}

TEST(TensorDigestTest, EveryBitCounts) {
  std::vector<float> values = Values(37);
  std::set<uint64_t> digests = {DigestOf(values)};
  for (size_t i = 0; i < values.size(); ++i) {
    for (int bit = 0; bit < 32; ++bit) {
      std::vector<float> changed = values;
      uint32_t bits;
      std::memcpy(&bits, &changed[i], 4);
      bits ^= 1u << bit;
      std::memcpy(&changed[i], &bits, 4);
      EXPECT_TRUE(digests.insert(DigestOf(changed)).second) << i << ", bit " << bit;
    }
  }
}

TEST(TensorDigestTest, LengthAndOrderCount) {
  EXPECT_NE(DigestOf(std::vector<float>(16, 0.0f)), DigestOf(std::vector<float>(17, 0.0f)));
  EXPECT_NE(DigestOf(std::vector<float>{1, 2}), DigestOf(std::vector<float>{2, 1}));
  EXPECT_NE(MixDigests(1, 2), MixDigests(2, 1));
}

}  // namespace
}  // namespace lockstep
