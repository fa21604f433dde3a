#include "engine/kernels/layer_norm.h"

#include <gtest/gtest.h>

#include <vector>

#include "engine/kernels/bit_equality.h"
#include "engine/kernels/reference/layer_norm.h"

namespace lockstep::kernels {
namespace {

const int64_t kShapes[][2] = {{0, 3},  {1, 1},   {2, 15},  {3, 16},  {4, 17},     {5, 31},
                              {3, 40}, {33, 64}, {7, 129}, {1, 257}, {2048, 128}, {40, 1000}};

struct Norms {
  Norms(int64_t rows, int64_t columns) : y(rows * columns), mean(rows), rstd(rows) {}
  std::vector<float> y, mean, rstd;
};

void ExpectEqual(const Norms& want, const Norms& got, int64_t rows, int64_t columns) {
  EXPECT_TRUE(BitEqual(want.y, got.y)) << rows << " x " << columns;
  EXPECT_TRUE(BitEqual(want.mean, got.mean)) << rows << " x " << columns;
  EXPECT_TRUE(BitEqual(want.rstd, got.rstd)) << rows << " x " << columns;
}

void CompareForward(int64_t rows, int64_t columns, const std::vector<float>& x, const float* weight,
                    const float* bias) {
  Norms want(rows, columns), got(rows, columns), in_place(rows, columns);
  reference::LayerNorm(rows, columns, 1e-5f, x.data(), weight, bias, want.y.data(),
                       want.mean.data(), want.rstd.data());
  LayerNorm(rows, columns, 1e-5f, x.data(), weight, bias, got.y.data(), got.mean.data(),
            got.rstd.data());
  ExpectEqual(want, got, rows, columns);
  in_place.y = x;
  LayerNorm(rows, columns, 1e-5f, in_place.y.data(), weight, bias, in_place.y.data(),
            in_place.mean.data(), in_place.rstd.data());
  ExpectEqual(want, in_place, rows, columns);
  reference::RmsNorm(rows, columns, 1e-6f, x.data(), weight, want.y.data(), want.rstd.data());
  RmsNorm(rows, columns, 1e-6f, x.data(), weight, got.y.data(), got.rstd.data());
  ExpectEqual(want, got, rows, columns);
}

TEST(LayerNormTest, ForwardEqualsItsTwin) {
  OnEverySetAndThreadCount([] {
    for (const auto& [rows, columns] : kShapes) {
      const std::vector<float> weight = RandomFloats(columns, 1), bias = RandomFloats(columns, 2);
      const std::vector<float> plain = RandomFloats(rows * columns, 3);
      CompareForward(rows, columns, plain, weight.data(), bias.data());
      CompareForward(rows, columns, plain, weight.data(), nullptr);
      CompareForward(rows, columns, plain, nullptr, bias.data());
      CompareForward(rows, columns, plain, nullptr, nullptr);
      CompareForward(rows, columns, WildFloats(rows * columns, 4), weight.data(), bias.data());
    }
  });
}

TEST(LayerNormTest, BackwardEqualsItsTwinAndWorksInPlace) {
  OnEverySetAndThreadCount([] {
    for (const auto& [rows, columns] : kShapes) {
      const std::vector<float> x = RandomFloats(rows * columns, 1), mean = RandomFloats(rows, 2);
      const std::vector<float> rstd = RandomFloats(rows, 3), weight = RandomFloats(columns, 4);
      for (const std::vector<float>& dy :
           {RandomFloats(rows * columns, 5), WildFloats(rows * columns, 6)}) {
        for (const float* center : {mean.data(), static_cast<const float*>(nullptr)}) {
          for (const float* w : {weight.data(), static_cast<const float*>(nullptr)}) {
            std::vector<float> want(dy.size()), got(dy.size()), in_place = dy;
            reference::LayerNormBackward(rows, columns, x.data(), center, rstd.data(), w, dy.data(),
                                         want.data());
            LayerNormBackward(rows, columns, x.data(), center, rstd.data(), w, dy.data(),
                              got.data());
            LayerNormBackward(rows, columns, x.data(), center, rstd.data(), w, in_place.data(),
                              in_place.data());
            EXPECT_TRUE(BitEqual(want, got)) << rows << " x " << columns;
            EXPECT_TRUE(BitEqual(want, in_place)) << rows << " x " << columns;
          }
        }
      }
    }
  });
}

TEST(LayerNormTest, ParameterGradientsEqualTheirTwinForAnyCuts) {
  const std::vector<std::vector<int64_t>> runs = {{0, 0},
                                                  {0, 5},
                                                  {0, 0, 7, 7},
                                                  {0, 1, 3, 3, 8, 9, 12},
                                                  {0, 256, 512, 768, 1024, 1280, 1536, 1792, 2048}};
  OnEverySetAndThreadCount([&] {
    for (const std::vector<int64_t>& cuts : runs) {
      for (int64_t columns : {0, 1, 15, 16, 17, 64, 130, 300}) {
        const int64_t rows = cuts.back();
        const std::vector<float> x = RandomFloats(rows * columns, 1);
        const std::vector<float> dy = RandomFloats(rows * columns, 2);
        const std::vector<float> mean = RandomFloats(rows, 3), rstd = RandomFloats(rows, 4);
        for (const float* center : {mean.data(), static_cast<const float*>(nullptr)}) {
          std::vector<float> want_w(columns), want_b(columns), got_w(columns), got_b(columns);
          reference::LayerNormParameterGradients(columns, cuts, x.data(), center, rstd.data(),
                                                 dy.data(), want_w.data(), want_b.data());
          LayerNormParameterGradients(columns, cuts, x.data(), center, rstd.data(), dy.data(),
                                      got_w.data(), got_b.data());
          EXPECT_TRUE(BitEqual(want_w, got_w)) << rows << " x " << columns;
          EXPECT_TRUE(BitEqual(want_b, got_b)) << rows << " x " << columns;
        }
      }
    }
  });
}

}  // namespace
}  // namespace lockstep::kernels
