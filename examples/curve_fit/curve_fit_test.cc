#include "examples/curve_fit/curve_fit.h"

#include <map>

#include "gtest/gtest.h"

namespace lockstep::examples {
namespace {

// The losses are PyTorch's in float64, from the same weights.
TEST(CurveFitTest, ParabolaByGradientDescent) {
  const std::vector<double> losses = FitParabola(201);
  const std::map<int, double> want = {{0, 81.72528295851576}, {1, 27.76163057},
                                      {2, 20.72211214},       {10, 17.93580182},
                                      {100, 15.13317129},     {200, 11.38643620}};
  for (const auto& [epoch, loss] : want) {
    EXPECT_NEAR(losses[epoch], loss, epoch == 0 ? 1e-12 : 5e-9) << epoch;
  }
}

TEST(CurveFitTest, ParabolaByAdam) {
  const std::vector<double> losses = FitParabolaByAdam(20000);
  EXPECT_GT(losses.front(), 10);
  EXPECT_LT(losses.back(), 0.02);
}

TEST(CurveFitTest, SineFallsByTenWithin1848Steps) {
  const std::vector<double> losses = FitSine(1848);
  EXPECT_LT(losses.back(), losses.front() / 10);
}

}  // namespace
}  // namespace lockstep::examples
