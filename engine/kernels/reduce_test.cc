#include "engine/kernels/reduce.h"

#include <gtest/gtest.h>

#include <vector>

#include "engine/kernels/bit_equality.h"
#include "engine/kernels/reference/reduce.h"

namespace lockstep::kernels {
namespace {

const int64_t kShapes[][2] = {{0, 3},  {3, 0},   {1, 1},   {2, 15},   {3, 16},    {4, 17},
                              {7, 33}, {1, 257}, {64, 10}, {33, 300}, {200, 512}, {1, 50000}};

TEST(ReduceTest, SumRowsEqualsItsTwin) {
  OnEverySetAndThreadCount([] {
    for (const auto& [rows, columns] : kShapes) {
      for (const auto& x :
           {RandomFloats(rows * columns, rows), WildFloats(rows * columns, columns)}) {
        std::vector<float> want(rows);
        std::vector<float> got(rows);
        reference::SumRows(rows, columns, x.data(), want.data());
        SumRows(rows, columns, x.data(), got.data());
        EXPECT_TRUE(BitEqual(want, got)) << rows << " x " << columns;
      }
    }
  });
}

TEST(ReduceTest, ASumOfMinusZerosIsPlusZero) {
  const std::vector<float> x(40, -0.0f);
  std::vector<float> got(1);
  SumRows(1, 40, x.data(), got.data());
  EXPECT_TRUE(BitEqual({0.0f}, got));
  SumColumns(40, 1, x.data(), got.data());
  EXPECT_TRUE(BitEqual({0.0f}, got));
}

TEST(ReduceTest, SumColumnsEqualsItsTwin) {
  OnEverySetAndThreadCount([] {
    for (const auto& [rows, columns] : kShapes) {
      const std::vector<float> x = RandomFloats(rows * columns, rows);
      std::vector<float> want(columns);
      std::vector<float> got(columns);
      reference::SumColumns(rows, columns, x.data(), want.data());
      SumColumns(rows, columns, x.data(), got.data());
      EXPECT_TRUE(BitEqual(want, got)) << rows << " x " << columns;
    }
  });
}

TEST(ReduceTest, SumColumnsShardTreeEqualsItsTwin) {
  const std::vector<std::vector<int64_t>> runs = {{0, 0},
                                                  {0, 5},
                                                  {0, 3, 5},
                                                  {0, 0, 7, 7},
                                                  {0, 2, 4, 6, 8, 10},
                                                  {0, 1, 3, 3, 8, 9, 12},
                                                  {0, 16, 32, 48, 64, 80, 96, 112, 128}};
  OnEverySetAndThreadCount([&] {
    for (const std::vector<int64_t>& cuts : runs) {
      for (int64_t columns : {0, 1, 10, 15, 16, 17, 64, 129, 1000}) {
        const std::vector<float> x = RandomFloats(cuts.back() * columns, columns);
        std::vector<float> want(columns);
        std::vector<float> got(columns);
        reference::SumColumnsShardTree(columns, cuts, x.data(), want.data());
        SumColumnsShardTree(columns, cuts, x.data(), got.data());
        EXPECT_TRUE(BitEqual(want, got)) << cuts.size() - 1 << " shards, " << columns;
      }
    }
  });
}

}  // namespace
}  // namespace lockstep::kernels
