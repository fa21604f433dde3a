#include "examples/two_moons/two_moons.h"

#include <algorithm>
#include <map>

#include "gtest/gtest.h"

namespace lockstep::examples {
namespace {

// As micrograd itself gives them with these seeds.
TEST(TwoMoonsTest, FollowsMicrogradStepByStep) {
  TwoMoons moons(ReadPoints("examples/two_moons/moons.csv"));
  const std::map<int, std::pair<double, double>> want = {
      {0, {0.8958441028683222, 0.50}}, {1, {1.72359053, 0.81}},
      {2, {0.74290063, 0.77}},         {5, {0.31354548, 0.86}},
      {10, {0.24507024, 0.91}},        {99, {0.010978370135492717, 1.00}}};
  int64_t parameters = nn::ParameterElementCount(moons.model());
  EXPECT_EQ(parameters, 337);
  for (int step = 0; step < 100; ++step) {
    const TwoMoons::Progress progress = moons.Step(1 - 0.9 * step / 100);
    const auto found = want.find(step);
    if (found == want.end()) continue;
    const double tolerance = step == 0 || step == 99 ? 1e-12 : 5e-9;  // the digits given
    EXPECT_NEAR(progress.loss, found->second.first, tolerance) << step;
    EXPECT_DOUBLE_EQ(progress.accuracy, found->second.second) << step;
  }
  const std::string drawing = moons.DrawBoundary();
  EXPECT_EQ(std::count(drawing.begin(), drawing.end(), '\n'), 26);
  // All points are on their own side, so both sides are there, and both kinds of points.
  for (char mark : {'#', '.', 'x', 'o'}) EXPECT_NE(drawing.find(mark), std::string::npos) << mark;
}

}  // namespace
}  // namespace lockstep::examples
