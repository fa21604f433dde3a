// Trains on examples/two_moons/moons.csv, or the file that is named, and draws
// the decision boundary.
#include <cstdio>

#include "examples/two_moons/two_moons.h"

int main(int argc, char** argv) {
  constexpr int kSteps = 100;
  lockstep::examples::TwoMoons moons(
      lockstep::examples::ReadPoints(argc > 1 ? argv[1] : "examples/two_moons/moons.csv"));
  std::printf("%s\n", moons.model().Describe().c_str());
  for (int step = 0; step < kSteps; ++step) {
    const auto progress = moons.Step(1 - 0.9 * step / kSteps);
    if (step < 3 || step % 10 == 0 || step == kSteps - 1) {
      std::printf("step %2d  loss %.8f  accuracy %3.0f %%\n", step, progress.loss,
                  100 * progress.accuracy);
    }
  }
  std::printf("\n%s", moons.DrawBoundary().c_str());
  return 0;
}
