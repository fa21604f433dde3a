#include "server/sum_digest.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace lockstep::server {
namespace {

TEST(SumDigestTest, EveryBitAndTheLengthCount) {
  std::vector<unsigned char> bytes(100);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<unsigned char>(i * 37);
  std::set<uint64_t> digests;
  for (size_t length = 0; length <= bytes.size(); ++length) {
    digests.insert(SumDigest(bytes.data(), length));
  }
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<unsigned char>(1 << bit % 8);
    digests.insert(SumDigest(bytes.data(), bytes.size()));
    bytes[bit / 8] ^= static_cast<unsigned char>(1 << bit % 8);
  }
  EXPECT_EQ(digests.size(), 101 + 800);
}

TEST(SumDigestTest, EqualBytesHaveEqualDigestsWhereverTheyStand) {
  std::vector<char> bytes(65);
  for (size_t i = 0; i < 64; ++i) bytes[i + 1] = static_cast<char>(i);
  const std::vector<char> aligned(bytes.begin() + 1, bytes.end());
  EXPECT_EQ(SumDigest(bytes.data() + 1, 64), SumDigest(aligned.data(), 64));
}

}  // namespace
}  // namespace lockstep::server
