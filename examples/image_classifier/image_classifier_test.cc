#include "examples/image_classifier/image_classifier.h"

#include <fstream>

#include "gtest/gtest.h"

namespace lockstep::examples {
namespace {

// The losses are PyTorch's, float64 (tests/golden/golden_demos.py).
TEST(ImageClassifierTest, FollowsPyTorchForThreeHundredSteps) {
  std::ifstream file("tests/golden/demos/image_classifier.losses");
  ImageClassifier classifier;
  int steps = 0;
  for (double want = 0; file >> want; ++steps) {
    ASSERT_NEAR(classifier.Step(), want, 1e-9) << "step " << steps;
  }
  EXPECT_EQ(steps, 300);
  EXPECT_EQ(classifier.Accuracy(), 1);
}

}  // namespace
}  // namespace lockstep::examples
