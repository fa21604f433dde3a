#include "engine/kernels/strided_copy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "engine/kernels/bit_equality.h"
#include "engine/kernels/reference/strided_copy.h"

namespace lockstep::kernels {
namespace {

std::vector<int64_t> RowMajor(const std::vector<int64_t>& extents) {
  std::vector<int64_t> strides(extents.size(), 1);
  for (int i = static_cast<int>(extents.size()) - 2; i >= 0; --i) {
    strides[i] = strides[i + 1] * extents[i + 1];
  }
  return strides;
}

int64_t Count(const std::vector<int64_t>& extents) {
  int64_t count = 1;
  for (int64_t extent : extents) count *= extent;
  return count;
}

// Copies an array of `extents`, whose axes lie in `from` in the order `order`
// (some repeated, stride 0), into a corner of a larger array.
void ExpectEqualsTwin(const std::vector<int64_t>& extents, const std::vector<int>& order,
                      int repeated, int64_t margin) {
  std::vector<int64_t> stored, from_strides(extents.size()), larger = extents;
  for (int axis : order) stored.push_back(extents[axis]);
  const std::vector<int64_t> stored_strides = RowMajor(stored);
  for (size_t i = 0; i < order.size(); ++i) from_strides[order[i]] = stored_strides[i];
  if (repeated >= 0) from_strides[repeated] = 0;
  for (int64_t& extent : larger) extent += margin;
  const std::vector<int64_t> to_strides = RowMajor(larger);
  const std::vector<float> from = WildFloats(std::max<int64_t>(1, Count(extents)), 5);
  std::vector<float> want(Count(larger), 7.0f), got = want;
  reference::StridedCopy<float>(extents, from.data(), from_strides, want.data(), to_strides);
  StridedCopy(extents, from.data(), from_strides, got.data(), to_strides);
  EXPECT_TRUE(BitEqual(want, got));
  const std::vector<double> doubles(from.begin(), from.end());
  std::vector<double> want_doubles(Count(larger), 7.0), got_doubles = want_doubles;
  reference::StridedCopy<double>(extents, doubles.data(), from_strides, want_doubles.data(),
                                 to_strides);
  StridedCopy(extents, doubles.data(), from_strides, got_doubles.data(), to_strides);
  EXPECT_EQ(0, std::memcmp(want_doubles.data(), got_doubles.data(), 8 * want_doubles.size()));
}

TEST(StridedCopyTest, EqualsItsTwin) {
  const std::vector<std::vector<int64_t>> shapes = {
      {1},       {5},         {3, 0, 2},       {0},        {17, 31},     {1, 16, 1},
      {2, 3, 4}, {33, 1, 47}, {4, 1, 3, 2, 5}, {300, 257}, {7, 40, 129}, {2, 3, 2, 3, 2, 3}};
  OnEverySetAndThreadCount([&] {
    for (const std::vector<int64_t>& extents : shapes) {
      std::vector<int> order(extents.size());
      for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i);
      int permutations = 0;
      do {
        for (int64_t margin : {0, 3}) {
          ExpectEqualsTwin(extents, order, -1, margin);
          ExpectEqualsTwin(extents, order, permutations % static_cast<int>(extents.size()), margin);
        }
      } while (std::next_permutation(order.begin(), order.end()) && ++permutations < 30);
    }
  });
}

TEST(StridedCopyTest, AScalarIsCopied) {
  const float from = 3;
  float to = 0;
  StridedCopy({}, &from, {}, &to, {});
  EXPECT_EQ(to, 3);
}

TEST(StridedCopyTest, WholeNumbers) {
  const std::vector<int64_t> from = {1, 2, 3, 4, 5, 6};
  std::vector<int64_t> to(6);
  StridedCopy({3, 2}, from.data(), {1, 3}, to.data(), {2, 1});
  EXPECT_EQ(to, (std::vector<int64_t>{1, 4, 2, 5, 3, 6}));
}

}  // namespace
}  // namespace lockstep::kernels
