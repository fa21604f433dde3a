#include "engine/kernels/attention.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "engine/kernels/bit_equality.h"
#include "engine/kernels/reference/attention.h"

namespace lockstep::kernels {
namespace {

struct Numbers {
  std::vector<float> qkv, dout, cosines, sines;
};

// Rows of magnitude 1 in the softmax, so that no probability is all there is.
Numbers MakeNumbers(const AttentionExtents& e, bool wild) {
  const auto numbers = wild ? WildFloats : RandomFloats;
  const int64_t size = e.examples * e.positions * e.heads * e.head_dim;
  return {numbers(size * 3, 1), numbers(size, 2), RandomFloats(e.positions * e.head_dim / 2, 3),
          RandomFloats(e.positions * e.head_dim / 2, 4)};
}

void ExpectEqual(const AttentionExtents& e, bool rotary, bool wild = false) {
  SCOPED_TRACE(testing::Message() << e.examples << " examples, " << e.positions << " positions, "
                                  << e.heads << " heads of " << e.head_dim << ", causal "
                                  << e.causal << ", rotary " << rotary);
  const Numbers x = MakeNumbers(e, wild);
  RotaryTable table;
  if (rotary) table = {x.cosines.data(), x.sines.data()};
  std::vector<float> out(x.dout.size()), dqkv(x.qkv.size());
  std::vector<float> statistics(e.examples * e.heads * e.positions * 2);
  reference::Attention(e, table, x.qkv.data(), out.data(), statistics.data());
  reference::AttentionBackward(e, table, x.qkv.data(), out.data(), statistics.data(), x.dout.data(),
                               dqkv.data());
  OnEverySetAndThreadCount([&] {
    std::vector<float> got(out.size(), -77.0f), dgot(dqkv.size(), -77.0f);
    std::vector<float> own(statistics.size(), -77.0f);
    Attention(e, table, x.qkv.data(), got.data(), own.data());
    EXPECT_TRUE(BitEqual(out, got));
    AttentionBackward(e, table, x.qkv.data(), got.data(), own.data(), x.dout.data(), dgot.data());
    EXPECT_TRUE(BitEqual(dqkv, dgot));
  });
}

TEST(AttentionTest, EqualsItsTwinAtTheTilesEdges) {
  for (int64_t positions : {1, 2, 5, 6, 7, 8, 15, 16, 17, 47, 48, 49, 64, 65}) {
    for (int64_t head_dim : {1, 7, 8, 16, 33}) {
      for (bool causal : {false, true}) ExpectEqual({2, positions, 3, head_dim, causal}, false);
    }
  }
}

TEST(AttentionTest, EqualsItsTwinWithRotaryEmbedding) {
  for (int64_t positions : {1, 9, 50}) {
    for (int64_t head_dim : {2, 6, 32, 50}) {
      for (bool causal : {false, true}) ExpectEqual({2, positions, 2, head_dim, causal}, true);
    }
  }
}

TEST(AttentionTest, EqualsItsTwinAtLargerSizes) {
  ExpectEqual({3, 128, 4, 32, true}, true);
  ExpectEqual({1, 130, 2, 64, false}, false);
}

// Fewer heads than threads: rows and columns are cut into runs.
TEST(AttentionTest, EqualsItsTwinInOneHeadOfManyPositions) {
  ExpectEqual({1, 1100, 1, 6, true}, true);
  ExpectEqual({1, 1000, 1, 3, false}, false);
}

TEST(AttentionTest, EqualsItsTwinOnWildNumbers) {
  for (bool causal : {false, true}) {
    ExpectEqual({40, 13, 1, 1, causal}, false, true);
    ExpectEqual({20, 19, 2, 2, causal}, true, true);
  }
}

TEST(AttentionTest, EmptyExtents) {
  ExpectEqual({0, 5, 2, 4, true}, false);
  ExpectEqual({2, 0, 2, 4, false}, false);
}

// Positions that a row may not see take no part, not even as zeros: an
// infinity among them would make NaN of 0 * inf.
TEST(AttentionTest, WhatIsMaskedHasNoEffect) {
  const AttentionExtents e{1, 20, 1, 8, true};
  Numbers x = MakeNumbers(e, false);
  std::vector<float> before(20 * 8), after(20 * 8), statistics(40);
  Attention(e, {}, x.qkv.data(), before.data(), statistics.data());
  for (int64_t i = 13 * 24; i < 20 * 24; ++i) x.qkv[i] = std::numeric_limits<float>::infinity();
  Attention(e, {}, x.qkv.data(), after.data(), statistics.data());
  before.resize(13 * 8);
  after.resize(13 * 8);
  EXPECT_TRUE(BitEqual(before, after));
}

TEST(AttentionTest, AveragesValuesWhereScoresAreEqual) {
  // q = 0: every row that may be seen weighs the same.
  const std::vector<float> qkv = {0, 5, 1, 0, 6, 3, 0, 7, 8};
  std::vector<float> out(3), statistics(6);
  Attention({1, 3, 1, 1, true}, {}, qkv.data(), out.data(), statistics.data());
  EXPECT_EQ(out[0], 1.0f);
  EXPECT_EQ(out[1], 2.0f);
  EXPECT_FLOAT_EQ(out[2], 4.0f);
}

TEST(AttentionDeathTest, NamesWhatDoesNotFit) {
  const float x = 0;
  EXPECT_DEATH(Attention({1, 1, 0, 4, true}, {}, &x, nullptr, nullptr), "got 0 heads of 4");
  EXPECT_DEATH(Attention({1, 1, 1, 3, true}, {&x, &x}, &x, nullptr, nullptr), "odd head_dim 3");
}

}  // namespace
}  // namespace lockstep::kernels
