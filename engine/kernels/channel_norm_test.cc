#include "engine/kernels/channel_norm.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "engine/kernels/bit_equality.h"
#include "engine/kernels/reference/channel_norm.h"

namespace lockstep::kernels {
namespace {

using Floats = std::vector<float>;

// channels, positions, channels of a group.
const int64_t kShapes[][3] = {{1, 1, 1},  {5, 1, 1},  {300, 1, 1}, {6, 1, 3},    {4, 49, 1},
                              {3, 17, 3}, {8, 16, 2}, {2, 0, 1},   {16, 196, 1}, {12, 100, 4}};

const std::vector<std::vector<int64_t>> kCuts = {
    {0, 0}, {0, 1}, {0, 5}, {0, 2, 2, 7}, {0, 1, 2, 3, 4}, {0, 16, 32, 48, 64}};

void ForAll(const std::function<void(const ChannelSets& sets, int64_t size)>& test) {
  OnEverySetAndThreadCount([&] {
    for (const auto& [channels, positions, group_channels] : kShapes) {
      for (const std::vector<int64_t>& cuts : kCuts) {
        SCOPED_TRACE(testing::Message() << channels << " channels, " << positions << " positions, "
                                        << cuts.size() - 1 << " runs");
        const ChannelSets sets{channels, positions, group_channels, cuts};
        test(sets, sets.examples() * channels * positions);
      }
    }
  });
}

TEST(ChannelNormTest, StatisticsEqualTheirTwin) {
  ForAll([](const ChannelSets& sets, int64_t size) {
    for (const Floats& x : {RandomFloats(size, 1), WildFloats(size, 2)}) {
      const int64_t count = sets.runs() * sets.groups();
      Floats want_mean(count), want_squares(count), mean(count), squares(count);
      reference::ChannelStatistics(sets, x.data(), want_mean.data(), want_squares.data());
      ChannelStatistics(sets, x.data(), mean.data(), squares.data());
      EXPECT_TRUE(BitEqual(want_mean, mean));
      EXPECT_TRUE(BitEqual(want_squares, squares));
    }
  });
}

TEST(ChannelNormTest, NormEqualsItsTwinWithAndWithoutParameters) {
  ForAll([](const ChannelSets& sets, int64_t size) {
    const Floats x = RandomFloats(size, 1), weight = RandomFloats(sets.channels, 2);
    const Floats bias = RandomFloats(sets.channels, 3);
    const Floats mean = RandomFloats(sets.runs() * sets.groups(), 4);
    const Floats rstd = RandomFloats(sets.runs() * sets.groups(), 5);
    for (bool affine : {false, true}) {
      const float* w = affine ? weight.data() : nullptr;
      const float* b = affine ? bias.data() : nullptr;
      Floats want(size), got(size), in_place = x;
      reference::ChannelNorm(sets, x.data(), mean.data(), rstd.data(), w, b, want.data());
      ChannelNorm(sets, x.data(), mean.data(), rstd.data(), w, b, got.data());
      ChannelNorm(sets, in_place.data(), mean.data(), rstd.data(), w, b, in_place.data());
      EXPECT_TRUE(BitEqual(want, got));
      EXPECT_TRUE(BitEqual(want, in_place));
    }
  });
}

TEST(ChannelNormTest, BackwardEqualsItsTwin) {
  ForAll([](const ChannelSets& sets, int64_t size) {
    const int64_t count = sets.runs() * sets.groups(), rows = sets.examples() * sets.channels;
    const Floats x = RandomFloats(size, 1), dy = WildFloats(size, 2);
    const Floats mean = RandomFloats(count, 3), rstd = RandomFloats(count, 4);
    const Floats a = RandomFloats(count, 5), b = RandomFloats(count, 6);
    const Floats weight = RandomFloats(sets.channels, 7);
    Floats want_dy(rows), want_product(rows), got_dy(rows), got_product(rows);
    reference::ChannelGradientSums(sets, x.data(), mean.data(), rstd.data(), dy.data(),
                                   want_dy.data(), want_product.data());
    ChannelGradientSums(sets, x.data(), mean.data(), rstd.data(), dy.data(), got_dy.data(),
                        got_product.data());
    EXPECT_TRUE(BitEqual(want_dy, got_dy));
    EXPECT_TRUE(BitEqual(want_product, got_product));
    for (const float* w : {weight.data(), static_cast<const float*>(nullptr)}) {
      Floats want(size), got(size);
      reference::ChannelNormBackward(sets, x.data(), mean.data(), rstd.data(), w, a.data(),
                                     b.data(), dy.data(), want.data());
      ChannelNormBackward(sets, x.data(), mean.data(), rstd.data(), w, a.data(), b.data(),
                          dy.data(), got.data());
      EXPECT_TRUE(BitEqual(want, got));
    }
  });
}

}  // namespace
}  // namespace lockstep::kernels
