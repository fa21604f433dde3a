#include "engine/kernels/dropout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "engine/kernels/bit_equality.h"
#include "engine/kernels/reference/dropout.h"

namespace lockstep::kernels {
namespace {

void Compare(const DropoutPlace& place, int64_t examples, int64_t size, float probability) {
  const std::vector<float> x = WildFloats(examples * size, size);
  std::vector<float> want(x.size()), got(x.size()), in_place = x;
  reference::Dropout(place, examples, size, probability, x.data(), want.data());
  Dropout(place, examples, size, probability, x.data(), got.data());
  Dropout(place, examples, size, probability, in_place.data(), in_place.data());
  EXPECT_TRUE(BitEqual(want, got)) << examples << " x " << size << ", " << probability;
  EXPECT_TRUE(BitEqual(want, in_place)) << examples << " x " << size << ", " << probability;
}

TEST(DropoutTest, EqualsItsTwin) {
  const DropoutPlace places[] = {{1, 2, 3, 0},
                                 {0x123456789abcdef0, uint64_t{5} << 33, uint64_t{7} << 32, 1023},
                                 {42, 1000, 0xFFFFFFFE, 6}};
  OnEverySetAndThreadCount([&] {
    for (const DropoutPlace& place : places) {
      for (int64_t size : {0, 1, 3, 15, 16, 17, 64, 129, 1000}) Compare(place, 5, size, 0.3f);
      Compare(place, 70, 1024, 0.1f);
      for (float probability : {0.0f, 0.5f, 1e-9f, 0.99999994f, 1.0f}) {
        Compare(place, 2, 200, probability);
      }
    }
  });
}

TEST(DropoutTest, RowsAreExamplesWhoeverComputesThem) {
  const std::vector<float> x(5 * 100, 1.0f);
  std::vector<float> whole(x.size()), part(2 * 100);
  Dropout({9, 8, 64, 2}, 5, 100, 0.5f, x.data(), whole.data());
  Dropout({9, 8, 67, 2}, 2, 100, 0.5f, x.data(), part.data());
  EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + 300));
}

TEST(DropoutTest, DropsItsShareAndKeepsTheMean) {
  const std::vector<float> x(100000, 1.0f);
  std::vector<float> y(x.size());
  Dropout({1, 2, 3, 4}, 10, 10000, 0.25f, x.data(), y.data());
  const auto dropped = std::count(y.begin(), y.end(), 0.0f);
  EXPECT_NEAR(static_cast<double>(dropped), 25000, 700);
  EXPECT_EQ(std::count(y.begin(), y.end(), 1.0f / 0.75f), 100000 - dropped);
}

}  // namespace
}  // namespace lockstep::kernels
