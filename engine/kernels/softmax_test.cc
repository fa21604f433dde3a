#include "engine/kernels/softmax.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "engine/kernels/bit_equality.h"
#include "engine/kernels/reference/softmax.h"

namespace lockstep::kernels {
namespace {

const int64_t kShapes[][2] = {{0, 3},  {1, 1},  {5, 2},    {64, 10},   {7, 15},  {3, 16},
                              {4, 17}, {5, 40}, {2, 1000}, {500, 100}, {1, 5000}};

using Floats = std::vector<float>;

void CompareForward(int64_t rows, int64_t columns, const Floats& x) {
  for (float scale : {1.0f, 0.125f, 0.3f}) {
    Floats want(x.size()), got(x.size()), in_place = x;
    reference::Softmax(rows, columns, scale, x.data(), want.data());
    Softmax(rows, columns, scale, x.data(), got.data());
    Softmax(rows, columns, scale, in_place.data(), in_place.data());
    EXPECT_TRUE(BitEqual(want, got)) << rows << " x " << columns;
    EXPECT_TRUE(BitEqual(want, in_place)) << rows << " x " << columns;
  }
  Floats want(x.size()), got(x.size()), want_sum(rows), got_sum(rows);
  reference::LogSoftmax(rows, columns, x.data(), want.data());
  LogSoftmax(rows, columns, x.data(), got.data());
  EXPECT_TRUE(BitEqual(want, got)) << rows << " x " << columns;
  reference::LogSumExp(rows, columns, x.data(), want_sum.data());
  LogSumExp(rows, columns, x.data(), got_sum.data());
  EXPECT_TRUE(BitEqual(want_sum, got_sum)) << rows << " x " << columns;
}

TEST(SoftmaxTest, ForwardsEqualTheirTwins) {
  OnEverySetAndThreadCount([] {
    for (const auto& [rows, columns] : kShapes) {
      CompareForward(rows, columns, RandomFloats(rows * columns, rows));
      CompareForward(rows, columns, WildFloats(rows * columns, columns));
      CompareForward(rows, columns, Floats(rows * columns, -0.0f));
      CompareForward(rows, columns,
                     Floats(rows * columns, -std::numeric_limits<float>::infinity()));
    }
  });
}

TEST(SoftmaxTest, BackwardsEqualTheirTwinsAndWorkInPlace) {
  OnEverySetAndThreadCount([] {
    for (const auto& [rows, columns] : kShapes) {
      const Floats y = RandomFloats(rows * columns, 1), dy = WildFloats(rows * columns, 2);
      const Floats row = RandomFloats(rows, 3), upstream = RandomFloats(rows, 4);
      Floats want(y.size()), got(y.size()), in_place = dy;
      reference::SoftmaxBackward(rows, columns, 0.3f, y.data(), dy.data(), want.data());
      SoftmaxBackward(rows, columns, 0.3f, y.data(), dy.data(), got.data());
      SoftmaxBackward(rows, columns, 0.3f, y.data(), in_place.data(), in_place.data());
      EXPECT_TRUE(BitEqual(want, got)) << rows << " x " << columns;
      EXPECT_TRUE(BitEqual(want, in_place)) << rows << " x " << columns;
      in_place = dy;
      reference::LogSoftmaxBackward(rows, columns, y.data(), dy.data(), want.data());
      LogSoftmaxBackward(rows, columns, y.data(), dy.data(), got.data());
      LogSoftmaxBackward(rows, columns, y.data(), in_place.data(), in_place.data());
      EXPECT_TRUE(BitEqual(want, got)) << rows << " x " << columns;
      EXPECT_TRUE(BitEqual(want, in_place)) << rows << " x " << columns;
      reference::LogSumExpBackward(rows, columns, y.data(), row.data(), upstream.data(),
                                   want.data());
      LogSumExpBackward(rows, columns, y.data(), row.data(), upstream.data(), got.data());
      EXPECT_TRUE(BitEqual(want, got)) << rows << " x " << columns;
    }
  });
}

TEST(SoftmaxTest, LogSumExpOfInfinities) {
  const float infinity = std::numeric_limits<float>::infinity();
  const Floats x = {-infinity, -infinity, 1, infinity};
  Floats y(2);
  LogSumExp(2, 2, x.data(), y.data());
  EXPECT_EQ(y, (Floats{-infinity, infinity}));
}

}  // namespace
}  // namespace lockstep::kernels
