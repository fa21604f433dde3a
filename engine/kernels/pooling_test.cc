#include "engine/kernels/pooling.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "engine/kernels/bit_equality.h"
#include "engine/kernels/reference/pooling.h"

namespace lockstep::kernels {
namespace {

void ExpectEqual(const PoolingShape& s, bool wild = false) {
  SCOPED_TRACE(testing::Message() << s.planes << " planes " << s.rows.in << " x " << s.columns.in
                                  << " to " << s.rows.out << " x " << s.columns.out << ", kernel "
                                  << s.rows.kernel << " x " << s.columns.kernel << ", padding "
                                  << s.rows.padding);
  const auto numbers = wild ? WildFloats : RandomFloats;
  std::vector<float> x = numbers(s.planes * s.InPlane(), 1);
  const std::vector<float> dy = numbers(s.planes * s.OutPlane(), 2);
  for (size_t i = 0; i + 1 < x.size(); i += 3) x[i + 1] = x[i];  // equal ones
  std::vector<float> most(dy.size()), average(dy.size());
  std::vector<float> most_gradient(x.size()), average_gradient(x.size());
  reference::MaxPool(s, x.data(), most.data());
  reference::MaxPoolGradient(s, x.data(), dy.data(), most_gradient.data());
  reference::AveragePool(s, x.data(), average.data());
  reference::AveragePoolGradient(s, dy.data(), average_gradient.data());
  OnEverySetAndThreadCount([&] {
    std::vector<float> y(dy.size(), -77.0f), dx(x.size(), -77.0f);
    MaxPool(s, x.data(), y.data());
    EXPECT_TRUE(BitEqual(most, y));
    MaxPoolGradient(s, x.data(), dy.data(), dx.data());
    EXPECT_TRUE(BitEqual(most_gradient, dx));
    y.assign(y.size(), -77.0f);
    AveragePool(s, x.data(), y.data());
    EXPECT_TRUE(BitEqual(average, y));
    dx.assign(dx.size(), -77.0f);
    AveragePoolGradient(s, dy.data(), dx.data());
    EXPECT_TRUE(BitEqual(average_gradient, dx));
  });
}

PoolingShape Square(int64_t planes, int64_t rows, int64_t columns, int64_t kernel, int64_t stride,
                    int64_t padding = 0) {
  return {planes, PoolingAxis::Fixed(rows, kernel, stride, padding),
          PoolingAxis::Fixed(columns, kernel, stride, padding)};
}

TEST(PoolingTest, HalvingEqualsItsTwinAtEveryWidth) {
  for (int64_t columns = 2; columns <= 40; ++columns) {
    ExpectEqual(Square(3, 6, columns, 2, 2));
    ExpectEqual(Square(1, 2, columns, 2, 2));
  }
  ExpectEqual(Square(3, 5, 8, 2, 2));
  ExpectEqual(Square(500, 14, 14, 2, 2));  // on several threads
  ExpectEqual(Square(0, 4, 4, 2, 2));
}

TEST(PoolingTest, OtherWindowsEqualTheirTwins) {
  ExpectEqual(Square(4, 9, 11, 3, 2, 1));
  ExpectEqual(Square(4, 9, 11, 3, 1, 1));
  ExpectEqual(Square(2, 7, 7, 7, 1));
  ExpectEqual(Square(2, 8, 9, 2, 3, 1));
  ExpectEqual({5, PoolingAxis::Fixed(1, 1, 1, 0), PoolingAxis::Fixed(20, 3, 2, 1)});
  PoolingShape shape = Square(4, 9, 11, 3, 2, 1);
  shape.count_padding = false;
  ExpectEqual(shape);
}

TEST(PoolingTest, AdaptiveWindowsEqualTheirTwins) {
  for (int64_t out : {1, 2, 3, 5, 7, 9}) {
    ExpectEqual({6, PoolingAxis::Adaptive(7, out), PoolingAxis::Adaptive(10, 3)});
    ExpectEqual({6, PoolingAxis::Adaptive(8, 1), PoolingAxis::Adaptive(out, 1)});
  }
}

TEST(PoolingTest, EqualsItsTwinOnWildNumbers) {
  ExpectEqual(Square(20, 6, 34, 2, 2), /*wild=*/true);
  ExpectEqual(Square(5, 9, 9, 3, 2, 1), /*wild=*/true);
}

TEST(PoolingTest, TheFirstOfEqualOnesAndTheLastNanAreKept) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const PoolingShape shape = Square(1, 2, 4, 2, 2);
  const std::vector<float> x = {3, 3, nan, 5, 3, 1, nan, 7};
  const std::vector<float> dy = {10, 20};
  std::vector<float> y(2), dx(8);
  MaxPool(shape, x.data(), y.data());
  EXPECT_TRUE(BitEqual({3, nan}, y));
  MaxPoolGradient(shape, x.data(), dy.data(), dx.data());
  EXPECT_TRUE(BitEqual({10, 0, 0, 0, 0, 0, 20, 0}, dx));
}

TEST(PoolingTest, AdaptiveWindowsCoverTheAxis) {
  const PoolingAxis axis = PoolingAxis::Adaptive(7, 3);
  EXPECT_EQ(axis.Window(0).begin, 0);
  EXPECT_EQ(axis.Window(0).end, 3);
  EXPECT_EQ(axis.Window(1).begin, 2);
  EXPECT_EQ(axis.Window(1).end, 5);
  EXPECT_EQ(axis.Window(2).begin, 4);
  EXPECT_EQ(axis.Window(2).end, 7);
}

}  // namespace
}  // namespace lockstep::kernels
