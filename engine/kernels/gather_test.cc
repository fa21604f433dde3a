#include "engine/kernels/gather.h"

#include <gtest/gtest.h>

#include <vector>

#include "engine/kernels/bit_equality.h"
#include "engine/kernels/reference/gather.h"

namespace lockstep::kernels {
namespace {

TEST(GatherTest, EqualsItsTwin) {
  // before, extent, after, count
  const GatherExtents cases[] = {{1, 1, 1, 1},  {0, 3, 2, 4},    {3, 5, 0, 2},   {2, 4, 3, 0},
                                 {1, 7, 1, 40}, {5, 3, 17, 6},   {70, 11, 5, 9}, {3, 1000, 33, 4},
                                 {2, 2, 1, 3},  {257, 64, 1, 3}, {1, 5, 16, 300}};
  OnEverySetAndThreadCount([&] {
    for (const GatherExtents& extents : cases) {
      const auto [before, extent, after, count] = extents;
      SCOPED_TRACE(testing::Message() << before << " " << extent << " " << after << " " << count);
      const std::vector<float> x = WildFloats(before * extent * after, 1);
      const std::vector<float> dy = RandomFloats(before * count * after, 2);
      std::vector<int64_t> indices;
      for (int64_t i = 0; i < before * count * after; ++i) indices.push_back(i * 7919 % extent);
      std::vector<float> want(indices.size()), got(indices.size());
      reference::Gather(extents, x.data(), indices.data(), want.data());
      Gather(extents, x.data(), indices.data(), got.data());
      EXPECT_TRUE(BitEqual(want, got));
      std::vector<float> want_dx(x.size()), dx(x.size(), 9.0f);
      reference::ScatterAdd(extents, dy.data(), indices.data(), want_dx.data());
      ScatterAdd(extents, dy.data(), indices.data(), dx.data());
      EXPECT_TRUE(BitEqual(want_dx, dx));
      const std::vector<double> dy64(dy.begin(), dy.end());
      std::vector<double> want_dx64(x.size()), dx64(x.size(), 9.0);
      reference::ScatterAdd(extents, dy64.data(), indices.data(), want_dx64.data());
      ScatterAdd(extents, dy64.data(), indices.data(), dx64.data());
      EXPECT_EQ(want_dx64, dx64);
    }
  });
}

}  // namespace
}  // namespace lockstep::kernels
