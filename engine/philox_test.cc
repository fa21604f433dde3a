#include "engine/philox.h"

#include <vector>

#include "gtest/gtest.h"

namespace lockstep {
namespace {

using Words = std::array<uint32_t, 4>;

// Vectors from Random123's kat_vectors.
TEST(PhiloxTest, GivesThePublishedWordsForZeros) {
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
}

TEST(PhiloxTest, GivesThePublishedWordsForOnes) {
  EXPECT_EQ(Philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

TEST(PhiloxTest, GivesThePublishedWordsForDigitsOfPi) {
  EXPECT_EQ(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomWordTest, TakesItsBitsFromTheDocumentedPlaces) {
  const uint64_t key = 0x299f31d0a4093822;
  const uint64_t step = 0xABC12345678;
  const uint64_t example = 0xCD9ABCDEF0;
  const uint64_t block = 0xEF02468ACE;
  const Words want =
      Philox4x32({0x02468ACE, 0x9ABCDEF0, 0x12345678, 0x4ABCCDEF}, {0xa4093822, 0x299f31d0});
  for (uint64_t word = 0; word < 4; ++word) {
    EXPECT_EQ(RandomWord(key, RandomStream::kDropout, step, example, block * 4 + word), want[word]);
  }
}

TEST(RandomWordTest, DiffersInEveryArgument) {
  const uint32_t word = RandomWord(1, RandomStream::kInitialValues, 2, 3, 4);
  EXPECT_NE(word, RandomWord(9, RandomStream::kInitialValues, 2, 3, 4));
  EXPECT_NE(word, RandomWord(1, RandomStream::kExampleOrder, 2, 3, 4));
  EXPECT_NE(word, RandomWord(1, RandomStream::kInitialValues, 9, 3, 4));
  EXPECT_NE(word, RandomWord(1, RandomStream::kInitialValues, 2, 9, 4));
  EXPECT_NE(word, RandomWord(1, RandomStream::kInitialValues, 2, 3, 9));
}

TEST(UniformFloatTest, ReachesZeroAndStaysBelowOne) {
  EXPECT_EQ(UniformFloat(0), 0.0f);
  EXPECT_EQ(UniformFloat(255), 0.0f);
  EXPECT_EQ(UniformFloat(256), 0x1p-24f);
  EXPECT_EQ(UniformFloat(0x80000000), 0.5f);
  EXPECT_EQ(UniformFloat(0xffffffff), 1.0f - 0x1p-24f);
}

TEST(FillUniformTest, EqualsSingleWordsFromAnyFirstElement) {
  for (uint64_t first = 0; first < 6; ++first) {
    for (size_t count = 0; count < 12; ++count) {
      std::vector<float> values(count, -1.0f);
      FillUniform(7, RandomStream::kInitialValues, 1, 2, first, absl::MakeSpan(values));
      for (size_t i = 0; i < count; ++i) {
        EXPECT_EQ(values[i],
                  UniformFloat(RandomWord(7, RandomStream::kInitialValues, 1, 2, first + i)));
      }
    }
  }
}

TEST(FillUniformTest, LooksUniform) {
  std::vector<float> values(1 << 16);
  FillUniform(42, RandomStream::kInitialValues, 0, 0, 0, absl::MakeSpan(values));
  std::array<int, 16> bins{};
  for (float value : values) ++bins[static_cast<size_t>(value * 16)];
  double chi_square = 0;
  for (int count : bins) chi_square += (count - 4096.0) * (count - 4096.0) / 4096.0;
  EXPECT_LT(chi_square, 37.7);  // 15 degrees of freedom: 1 in 1000
}

}  // namespace
}  // namespace lockstep
