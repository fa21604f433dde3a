// Trains for 300 steps and prints the losses.
#include <cstdio>

#include "examples/image_classifier/image_classifier.h"

int main() {
  constexpr int kSteps = 300;
  lockstep::examples::ImageClassifier classifier;
  for (int step = 0; step < kSteps; ++step) {
    const double loss = classifier.Step();
    if (step % 25 == 0 || step == kSteps - 1) std::printf("step %3d  loss %.12f\n", step, loss);
  }
  std::printf("accuracy %.0f %%\n", 100 * classifier.Accuracy());
  return 0;
}
