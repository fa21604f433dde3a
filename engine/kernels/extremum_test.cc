#include "engine/kernels/extremum.h"

#include <gtest/gtest.h>

#include <vector>

#include "engine/kernels/bit_equality.h"
#include "engine/kernels/reference/extremum.h"

namespace lockstep::kernels {
namespace {

TEST(ExtremumTest, EqualsItsTwin) {
  const int64_t shapes[][3] = {{0, 3, 2}, {3, 5, 0},  {1, 1, 1},    {1, 40001, 1},
                               {2, 7, 1}, {5, 16, 1}, {3, 17, 1},   {2, 9, 3},
                               {1, 4, 8}, {2, 3, 17}, {1, 300, 33}, {70, 31, 40}};
  OnEverySetAndThreadCount([&] {
    for (const auto& [before, extent, after] : shapes) {
      for (bool wild : {false, true}) {
        const int64_t size = before * extent * after;
        std::vector<float> x = wild ? WildFloats(size, size) : RandomFloats(size, size);
        // Ties, also between the zeros of both signs.
        for (int64_t i = 0; i < size; i += 3) x[i] = i % 2 == 0 ? 0.0f : -0.0f;
        for (ExtremumOp op : {ExtremumOp::kMaximum, ExtremumOp::kMinimum}) {
          SCOPED_TRACE(testing::Message() << before << " x " << extent << " x " << after);
          std::vector<float> want(before * after), got(before * after);
          std::vector<int64_t> want_places(before * after), places(before * after);
          reference::Extremum(op, before, extent, after, x.data(), want.data(), want_places.data());
          Extremum(op, before, extent, after, x.data(), got.data(), places.data());
          EXPECT_TRUE(BitEqual(want, got));
          EXPECT_EQ(want_places, places);
          std::vector<float> want_dx(size), dx(size, 1.0f);
          reference::ExtremumBackward(before, extent, after, want.data(), places.data(),
                                      want_dx.data());
          ExtremumBackward(before, extent, after, want.data(), places.data(), dx.data());
          EXPECT_TRUE(BitEqual(want_dx, dx));
        }
      }
    }
  });
}

}  // namespace
}  // namespace lockstep::kernels
