#include "engine/kernels/cross_entropy.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "engine/kernels/bit_equality.h"
#include "engine/kernels/reference/cross_entropy.h"

namespace lockstep::kernels {
namespace {

const int64_t kShapes[][2] = {{0, 3},  {1, 1},  {5, 2},    {64, 10},   {7, 15},
                              {3, 16}, {4, 17}, {2, 1000}, {500, 100}, {1, 5000}};

std::vector<int64_t> Labels(int64_t rows, int64_t classes) {
  std::vector<int64_t> labels(rows);
  for (int64_t r = 0; r < rows; ++r) labels[r] = (r * 7 + 3) % classes;
  return labels;
}

void ExpectForwardEqual(int64_t rows, int64_t classes, const std::vector<float>& logits) {
  const std::vector<int64_t> labels = Labels(rows, classes);
  std::vector<float> want(rows), got(rows), alone(rows);
  std::vector<float> want_p(rows * classes), got_p(rows * classes);
  std::vector<int64_t> want_c(rows), got_c(rows);
  reference::SoftmaxCrossEntropy(rows, classes, logits.data(), labels.data(), want.data(),
                                 want_p.data(), want_c.data());
  SoftmaxCrossEntropy(rows, classes, logits.data(), labels.data(), got.data(), got_p.data(),
                      got_c.data());
  SoftmaxCrossEntropy(rows, classes, logits.data(), labels.data(), alone.data(), nullptr, nullptr);
  EXPECT_TRUE(BitEqual(want, got)) << rows << " x " << classes;
  EXPECT_TRUE(BitEqual(want, alone)) << rows << " x " << classes;
  EXPECT_TRUE(BitEqual(want_p, got_p)) << rows << " x " << classes;
  EXPECT_EQ(want_c, got_c) << rows << " x " << classes;
}

TEST(CrossEntropyTest, ForwardEqualsItsTwin) {
  OnEverySetAndThreadCount([] {
    for (const auto& [rows, classes] : kShapes) {
      ExpectForwardEqual(rows, classes, RandomFloats(rows * classes, rows));
      ExpectForwardEqual(rows, classes, WildFloats(rows * classes, rows));
    }
  });
}

TEST(CrossEntropyTest, BackwardEqualsItsTwinWithAndWithoutScaleAndInPlace) {
  OnEverySetAndThreadCount([] {
    for (const auto& [rows, classes] : kShapes) {
      const std::vector<int64_t> labels = Labels(rows, classes);
      const std::vector<float> p = WildFloats(rows * classes, 1);
      const std::vector<float> scale = RandomFloats(rows, 2);
      for (const float* factors : {static_cast<const float*>(nullptr), scale.data()}) {
        std::vector<float> want(rows * classes);
        std::vector<float> got(rows * classes);
        std::vector<float> in_place = p;
        reference::SoftmaxCrossEntropyBackward(rows, classes, p.data(), labels.data(), factors,
                                               want.data());
        SoftmaxCrossEntropyBackward(rows, classes, p.data(), labels.data(), factors, got.data());
        SoftmaxCrossEntropyBackward(rows, classes, in_place.data(), labels.data(), factors,
                                    in_place.data());
        EXPECT_TRUE(BitEqual(want, got)) << rows << " x " << classes;
        EXPECT_TRUE(BitEqual(want, in_place)) << rows << " x " << classes;
      }
    }
  });
}

TEST(CrossEntropyTest, PredictsTheFirstLargestClassAndZeroForNaN) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> logits = {1, 5, 5, 2, 9, nan, 3, 10};
  const std::vector<int64_t> labels = {0, 3};
  std::vector<float> losses(2);
  std::vector<int64_t> predictions(2);
  SoftmaxCrossEntropy(2, 4, logits.data(), labels.data(), losses.data(), nullptr,
                      predictions.data());
  EXPECT_EQ(predictions, (std::vector<int64_t>{1, 0}));
  EXPECT_NE(losses[1], losses[1]);
}

}  // namespace
}  // namespace lockstep::kernels
