#include "engine/kernels/embedding.h"

#include <gtest/gtest.h>

#include <vector>

#include "engine/kernels/bit_equality.h"
#include "engine/kernels/reference/embedding.h"

namespace lockstep::kernels {
namespace {

// Irregular; some entries often, many never.
std::vector<int64_t> Indices(int64_t positions, int64_t entries) {
  std::vector<int64_t> indices(positions);
  for (int64_t p = 0; p < positions; ++p) indices[p] = (p * p * 7 + p / 3) % entries;
  return indices;
}

const int64_t kWidths[] = {0, 1, 15, 16, 17, 64, 130};

TEST(EmbeddingTest, ForwardCopiesRows) {
  OnEverySetAndThreadCount([] {
    for (int64_t width : kWidths) {
      for (int64_t positions : {0, 1, 1000}) {
        const std::vector<float> table = WildFloats(37 * width, 1);
        const std::vector<int64_t> indices = Indices(positions, 37);
        std::vector<float> want(positions * width), got(positions * width);
        reference::Embedding(positions, width, indices.data(), table.data(), want.data());
        Embedding(positions, width, indices.data(), table.data(), got.data());
        EXPECT_TRUE(BitEqual(want, got)) << positions << " x " << width;
      }
    }
  });
}

TEST(EmbeddingTest, BackwardEqualsItsTwinForAnyCutsAndTableSizes) {
  const std::vector<std::vector<int64_t>> runs = {{0, 0},
                                                  {0, 5},
                                                  {0, 0, 7, 7},
                                                  {0, 1, 3, 3, 8, 9, 12},
                                                  {0, 100, 250, 260, 400, 555, 700, 850, 1000}};
  OnEverySetAndThreadCount([&] {
    for (const std::vector<int64_t>& cuts : runs) {
      for (int64_t width : kWidths) {
        for (int64_t entries : {1, 2, 65, 700}) {
          const std::vector<int64_t> indices = Indices(cuts.back(), entries);
          const std::vector<float> dy = RandomFloats(cuts.back() * width, width);
          for (int64_t padding : {-1, 1}) {
            std::vector<float> want(entries * width), got(entries * width, 9);
            reference::EmbeddingBackward(entries, width, cuts, indices.data(), padding, dy.data(),
                                         want.data());
            EmbeddingBackward(entries, width, cuts, indices.data(), padding, dy.data(), got.data());
            EXPECT_TRUE(BitEqual(want, got)) << entries << " x " << width;
          }
        }
      }
    }
  });
}

TEST(EmbeddingTest, ZerosOfBothSignsAddUpToPlusZero) {
  const std::vector<int64_t> indices = {1, 1, 1};
  const std::vector<float> dy(3, -0.0f);
  std::vector<float> got(2, 9);
  EmbeddingBackward(2, 1, {0, 1, 3}, indices.data(), -1, dy.data(), got.data());
  EXPECT_TRUE(BitEqual({0.0f, 0.0f}, got));
}

}  // namespace
}  // namespace lockstep::kernels
