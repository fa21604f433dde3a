// pointwise_loss.h, cosine_embedding.h and weighted_cross_entropy.h.
#include "engine/kernels/reference/losses.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "engine/kernels/bit_equality.h"
#include "engine/kernels/cosine_embedding.h"
#include "engine/kernels/pointwise_loss.h"
#include "engine/kernels/weighted_cross_entropy.h"

namespace lockstep::kernels {
namespace {

const int64_t kShapes[][2] = {{0, 3},  {1, 1},  {5, 2},    {64, 10},   {7, 15},
                              {3, 16}, {4, 17}, {2, 1000}, {500, 100}, {40000, 1}};

constexpr PointwiseLossOp kOps[] = {
    PointwiseLossOp::kAbsolute,
    PointwiseLossOp::kHuber,
    PointwiseLossOp::kBinaryCrossEntropy,
    PointwiseLossOp::kBinaryCrossEntropyWithLogits,
    PointwiseLossOp::kHinge,
    PointwiseLossOp::kKullbackLeibler,
};

void ExpectPointwiseEqual(PointwiseLossOp op, int64_t rows, int64_t columns,
                          const std::vector<float>& x, const std::vector<float>& targets) {
  const std::vector<float> scale = RandomFloats(rows, 5);
  std::vector<float> want(rows), got(rows), want_dx(x.size()), got_dx(x.size()), in_place = x;
  reference::PointwiseLoss(op, rows, columns, 0.75f, x.data(), targets.data(), want.data());
  PointwiseLoss(op, rows, columns, 0.75f, x.data(), targets.data(), got.data());
  EXPECT_TRUE(BitEqual(want, got)) << static_cast<int>(op) << ": " << rows << " x " << columns;
  reference::PointwiseLossBackward(op, rows, columns, 0.75f, x.data(), targets.data(), scale.data(),
                                   want_dx.data());
  PointwiseLossBackward(op, rows, columns, 0.75f, x.data(), targets.data(), scale.data(),
                        got_dx.data());
  PointwiseLossBackward(op, rows, columns, 0.75f, in_place.data(), targets.data(), scale.data(),
                        in_place.data());
  EXPECT_TRUE(BitEqual(want_dx, got_dx))
      << static_cast<int>(op) << ": " << rows << " x " << columns;
  EXPECT_TRUE(BitEqual(want_dx, in_place)) << static_cast<int>(op);
}

TEST(PointwiseLossTest, EqualsItsTwin) {
  OnEverySetAndThreadCount([] {
    for (PointwiseLossOp op : kOps) {
      for (const auto& [rows, columns] : kShapes) {
        const int64_t size = rows * columns;
        ExpectPointwiseEqual(op, rows, columns, RandomFloats(size, 1), RandomFloats(size, 2));
        ExpectPointwiseEqual(op, rows, columns, WildFloats(size, 3), WildFloats(size, 4));
      }
    }
  });
}

TEST(PointwiseLossTest, LogitsFarFromZeroKeepTheirSmallLosses) {
  const std::vector<float> x = {30, -30, 200, -200}, targets = {1, 0, 0, 1};
  std::vector<float> losses(4);
  PointwiseLoss(PointwiseLossOp::kBinaryCrossEntropyWithLogits, 4, 1, 1.0f, x.data(),
                targets.data(), losses.data());
  EXPECT_NEAR(losses[0] / std::exp(-30.0), 1, 1e-6);
  EXPECT_NEAR(losses[1] / std::exp(-30.0), 1, 1e-6);
  EXPECT_EQ(losses[2], 200);
  EXPECT_EQ(losses[3], 200);
}

TEST(CosineRowsTest, EqualsItsTwin) {
  OnEverySetAndThreadCount([] {
    for (const auto& [rows, columns] : kShapes) {
      const std::vector<float> a = RandomFloats(rows * columns, 1);
      const std::vector<float> b = WildFloats(rows * columns, 2);
      const std::vector<float> scale = RandomFloats(rows, 3);
      std::vector<CosineRow<float>> want(rows), got(rows);
      reference::CosineRows(rows, columns, a.data(), b.data(), want.data());
      CosineRows(rows, columns, a.data(), b.data(), got.data());
      const auto floats = [&](const std::vector<CosineRow<float>>& cosines) {
        std::vector<float> all;
        for (const CosineRow<float>& row : cosines) {
          all.insert(all.end(), {row.cosine, row.first_square, row.second_square});
        }
        return all;
      };
      EXPECT_TRUE(BitEqual(floats(want), floats(got))) << rows << " x " << columns;
      std::vector<float> want_da(rows * columns), got_da(rows * columns);
      reference::CosineRowsBackward(rows, columns, a.data(), b.data(), want.data(), scale.data(),
                                    want_da.data());
      CosineRowsBackward(rows, columns, a.data(), b.data(), got.data(), scale.data(),
                         got_da.data());
      EXPECT_TRUE(BitEqual(want_da, got_da)) << rows << " x " << columns;
    }
  });
}

TEST(WeightedCrossEntropyTest, EqualsItsTwin) {
  OnEverySetAndThreadCount([] {
    for (const auto& [rows, classes] : kShapes) {
      std::vector<int64_t> labels(rows);
      for (int64_t r = 0; r < rows; ++r) labels[r] = (r * 7 + 3) % classes;
      const std::vector<float> logits = WildFloats(rows * classes, 1);
      const std::vector<float> p = RandomFloats(rows * classes, 2);
      const std::vector<float> scale = RandomFloats(rows, 3);
      const std::vector<float> some = RandomFloats(classes, 4);
      for (const float* weights : {static_cast<const float*>(nullptr), some.data()}) {
        for (float smoothing : {0.0f, 0.1f}) {
          std::vector<float> want = WildFloats(rows, 5), got = want;
          reference::WeightCrossEntropy(rows, classes, logits.data(), labels.data(), weights,
                                        smoothing, want.data());
          WeightCrossEntropy(rows, classes, logits.data(), labels.data(), weights, smoothing,
                             got.data());
          EXPECT_TRUE(BitEqual(want, got)) << rows << " x " << classes;
          std::vector<float> want_dx(rows * classes), got_dx = p;
          reference::WeightedCrossEntropyBackward(rows, classes, p.data(), labels.data(), weights,
                                                  smoothing, scale.data(), want_dx.data());
          WeightedCrossEntropyBackward(rows, classes, got_dx.data(), labels.data(), weights,
                                       smoothing, scale.data(), got_dx.data());
          EXPECT_TRUE(BitEqual(want_dx, got_dx)) << rows << " x " << classes;
        }
      }
    }
  });
}

}  // namespace
}  // namespace lockstep::kernels
