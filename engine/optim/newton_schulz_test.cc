#include "engine/optim/newton_schulz.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "engine/kernels/bit_equality.h"

namespace lockstep::optim {
namespace {

using kernels::BitEqual;
using kernels::RandomFloats;

std::vector<float> Orthogonalized(int64_t rows, int64_t columns, std::vector<float> x) {
  Orthogonalize(rows, columns, 5, 1e-7, absl::MakeSpan(x));
  return x;
}

TEST(NewtonSchulzTest, SingularValuesEndNearOne) {
  const int64_t rows = 20, columns = 50;
  const std::vector<float> x = Orthogonalized(rows, columns, RandomFloats(rows * columns, 1));
  // The trace of X X^T is the sum of the squares of its singular values.
  double squares = 0;
  for (const float value : x) squares += double{value} * value;
  EXPECT_GT(squares / rows, 0.7 * 0.7);
  EXPECT_LT(squares / rows, 1.2 * 1.2);
}

TEST(NewtonSchulzTest, ATransposedMatrixGivesTheTransposedResult) {
  const int64_t rows = 7, columns = 12;
  const std::vector<float> x = RandomFloats(rows * columns, 2);
  std::vector<float> transposed(x.size());
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) transposed[j * rows + i] = x[i * columns + j];
  }
  const std::vector<float> wide = Orthogonalized(rows, columns, x);
  const std::vector<float> tall = Orthogonalized(columns, rows, transposed);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      EXPECT_NEAR(wide[i * columns + j], tall[j * rows + i], 1e-5);
    }
  }
}

TEST(NewtonSchulzTest, ZeroStaysZeroAndOneElementBecomesItsSign) {
  EXPECT_TRUE(
      BitEqual(std::vector<float>(6, 0.0f), Orthogonalized(2, 3, std::vector<float>(6, 0.0f))));
  const std::vector<float> one = Orthogonalized(1, 1, {-0.001f});
  EXPECT_LT(one[0], -0.6f);
  EXPECT_GT(one[0], -1.3f);
}

TEST(NewtonSchulzTest, BitsDependOnNeitherSetNorThreads) {
  const int64_t rows = 70, columns = 45;
  const std::vector<float> x = RandomFloats(rows * columns, 3);
  const std::vector<float> want = Orthogonalized(rows, columns, x);
  kernels::OnEverySetAndThreadCount(
      [&] { EXPECT_TRUE(BitEqual(want, Orthogonalized(rows, columns, x))); });
}

}  // namespace
}  // namespace lockstep::optim
