#include "engine/kernels/convolution.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/kernels/bit_equality.h"
#include "engine/kernels/reference/convolution.h"

namespace lockstep::kernels {
namespace {

ConvolutionShape Shape(int64_t examples, int64_t in_channels, int64_t height, int64_t width,
                       int64_t out_channels, int64_t kernel, int64_t stride = 1,
                       int64_t padding = 0, int64_t dilation = 1, int64_t groups = 1) {
  ConvolutionShape shape;
  shape.examples = examples;
  shape.in_channels = in_channels;
  shape.in_height = height;
  shape.in_width = width;
  shape.out_channels = out_channels;
  shape.kernel_height = shape.kernel_width = kernel;
  shape.stride_height = shape.stride_width = stride;
  shape.padding_height = shape.padding_width = padding;
  shape.dilation_height = shape.dilation_width = dilation;
  shape.groups = groups;
  return shape;
}

std::string Text(const ConvolutionShape& s) {
  return testing::PrintToString(std::vector<int64_t>{
      s.examples, s.in_channels, s.in_height, s.in_width, s.out_channels, s.kernel_height,
      s.kernel_width, s.stride_height, s.stride_width, s.padding_height, s.padding_width,
      s.dilation_height, s.dilation_width, s.groups});
}

struct Data {
  std::vector<float> x, weight, bias, dy;
};

Data MakeData(const ConvolutionShape& s, bool wild) {
  const auto numbers = wild ? WildFloats : RandomFloats;
  return {numbers(s.examples * s.in_channels * s.InPlane(), 1), numbers(s.WeightCount(), 2),
          numbers(s.out_channels, 3), numbers(s.examples * s.out_channels * s.OutPlane(), 4)};
}

// All four kernels on all instruction sets and thread counts.
void ExpectEqual(const ConvolutionShape& s, std::vector<int64_t> cuts = {}, bool wild = false) {
  SCOPED_TRACE(Text(s));
  if (cuts.empty()) cuts = {0, s.examples / 3, s.examples};
  const Data data = MakeData(s, wild);
  const auto relu = Activation::kRelu;
  std::vector<float> y(data.dy.size()), plain(y.size()), dx(data.x.size());
  std::vector<float> dw(data.weight.size()), db(s.out_channels);
  reference::Convolution(s, data.x.data(), data.weight.data(), data.bias.data(), relu, y.data());
  reference::Convolution<float>(s, data.x.data(), data.weight.data(), nullptr, Activation::kNone,
                                plain.data());
  reference::ConvolutionInputGradient(s, data.dy.data(), data.weight.data(), dx.data());
  reference::ConvolutionWeightGradient<float>(s, cuts, data.x.data(), data.dy.data(), dw.data());
  reference::ConvolutionBiasGradient<float>(s, cuts, data.dy.data(), db.data());
  OnEverySetAndThreadCount([&] {
    std::vector<float> got(y.size(), -77.0f);
    Convolution(s, data.x.data(), data.weight.data(), data.bias.data(), relu, got.data());
    EXPECT_TRUE(BitEqual(y, got));
    Convolution(s, data.x.data(), data.weight.data(), nullptr, Activation::kNone, got.data());
    EXPECT_TRUE(BitEqual(plain, got));
    got.assign(dx.size(), -77.0f);
    ConvolutionInputGradient(s, data.dy.data(), data.weight.data(), got.data());
    EXPECT_TRUE(BitEqual(dx, got));
    got.assign(dw.size(), -77.0f);
    ConvolutionWeightGradient(s, cuts, data.x.data(), data.dy.data(), got.data());
    EXPECT_TRUE(BitEqual(dw, got));
    got.assign(db.size(), -77.0f);
    ConvolutionBiasGradient(s, cuts, data.dy.data(), got.data());
    EXPECT_TRUE(BitEqual(db, got));
  });
}

TEST(ConvolutionTest, EqualsItsTwinAtEveryWidth) {
  for (int64_t width = 1; width <= 35; ++width) ExpectEqual(Shape(2, 2, 4, width, 3, 3, 1, 1));
}

TEST(ConvolutionTest, EqualsItsTwinAtEveryCountOfChannels) {
  for (int64_t channels = 1; channels <= 17; ++channels) {
    ExpectEqual(Shape(1, channels, 3, 5, 18 - channels, 3, 1, 1));
  }
  ExpectEqual(Shape(2, 3, 6, 9, 49, 3, 1, 1));
}

// Whole vectors of channels: planes whose rows leave lanes over are computed with
// channels as lanes, the others with positions.
TEST(ConvolutionTest, EqualsItsTwinWithWholeVectorsOfChannels) {
  for (int64_t width = 1; width <= 30; ++width) ExpectEqual(Shape(2, 16, 3, width, 32, 3, 1, 1));
  for (int64_t channels : {8, 24, 48, 64, 80}) {
    ExpectEqual(Shape(1, channels, 14, 14, 32, 3, 1, 1));
    ExpectEqual(Shape(1, 32, 7, 7, channels, 3, 1, 1));
    ExpectEqual(Shape(1, channels, 7, 9, channels, 1, 1, 0));
  }
  ExpectEqual(Shape(2, 32, 7, 14, 64, 3, 1, 1, 1, /*groups=*/2));
  ExpectEqual(Shape(2, 32, 14, 14, 32, 3, 1, 1), {}, /*wild=*/true);
}

TEST(ConvolutionTest, EqualsItsTwinForEveryStridePaddingAndDilation) {
  for (int64_t kernel : {1, 2, 3, 5}) {
    for (int64_t stride : {1, 2, 3}) {
      for (int64_t padding : {0, 1, 2, 4}) {
        for (int64_t dilation : {1, 2}) {
          ExpectEqual(Shape(2, 2, 11, 13, 3, kernel, stride, padding, dilation));
        }
      }
    }
  }
}

TEST(ConvolutionTest, EqualsItsTwinWhereTheAxesDiffer) {
  ConvolutionShape shape = Shape(3, 2, 9, 20, 5, 3);
  shape.kernel_width = 2;
  shape.stride_height = 2;
  shape.padding_width = 3;
  shape.dilation_width = 4;
  ExpectEqual(shape);
  shape.stride_height = 1;
  shape.stride_width = 3;
  shape.padding_height = 2;
  ExpectEqual(shape);
  // One-dimensional.
  shape = Shape(3, 4, 1, 50, 6, 1);
  shape.kernel_width = 5;
  shape.padding_width = 2;
  ExpectEqual(shape);
}

TEST(ConvolutionTest, EqualsItsTwinInGroups) {
  ExpectEqual(Shape(2, 6, 7, 9, 4, 3, 1, 1, 1, 2));
  ExpectEqual(Shape(2, 8, 8, 8, 8, 3, 1, 1, 1, 8));   // depthwise
  ExpectEqual(Shape(2, 5, 8, 8, 10, 3, 2, 1, 1, 5));  // with a multiplier
  ExpectEqual(Shape(2, 12, 5, 5, 9, 1, 1, 0, 1, 3));
}

TEST(ConvolutionTest, EqualsItsTwinAtTheSizesOfModels) {
  ExpectEqual(Shape(5, 1, 28, 28, 16, 3, 1, 1));
  ExpectEqual(Shape(4, 16, 14, 14, 32, 3, 1, 1));
  ExpectEqual(Shape(2, 16, 28, 28, 20, 3, 1, 1));
  ExpectEqual(Shape(2, 3, 32, 32, 16, 3, 2, 1));
  ExpectEqual(Shape(2, 16, 16, 16, 32, 1, 2));
  ExpectEqual(Shape(2, 33, 10, 10, 40, 1));
  ExpectEqual(Shape(3, 1, 28, 28, 6, 5, 1, 2));
  ExpectEqual(Shape(2, 6, 14, 14, 16, 5));
}

TEST(ConvolutionTest, EqualsItsTwinForEveryCountOfShards) {
  for (const std::vector<int64_t>& cuts : {std::vector<int64_t>{0, 7},
                                           {0, 0, 7},
                                           {0, 7, 7},
                                           {0, 1, 1, 3, 4, 6, 7},
                                           {0, 1, 2, 3, 4, 5, 6, 7}}) {
    ExpectEqual(Shape(7, 3, 6, 6, 5, 3, 1, 1), cuts);
  }
}

// So many weights and shards that the gradient takes several passes.
TEST(ConvolutionTest, EqualsItsTwinWithManyWeights) {
  std::vector<int64_t> cuts;
  for (int64_t i = 0; i <= 64; ++i) cuts.push_back(i / 32);
  ExpectEqual(Shape(2, 96, 2, 2, 96, 3, 1, 1), cuts);
}

TEST(ConvolutionTest, EqualsItsTwinOnWildNumbers) {
  ExpectEqual(Shape(2, 1, 9, 17, 3, 2, 1, 1), {}, /*wild=*/true);
  ExpectEqual(Shape(2, 2, 7, 6, 2, 3, 2, 1), {}, /*wild=*/true);
}

TEST(ConvolutionTest, AnEmptyBatchHasZeroGradients) {
  ExpectEqual(Shape(0, 2, 5, 5, 3, 3, 1, 1), {0, 0, 0});
}

// A sum that underflowed to -0 becomes +0 where padding follows in the chain.
TEST(ConvolutionTest, PaddingTakesPartAsZero) {
  const ConvolutionShape shape = Shape(1, 1, 1, 1, 1, 3, 1, 1);
  const float x = -1e-30f;
  const std::vector<float> weight = {0, 0, 0, 0, 1e-30f, 1, 0, 0, 0};
  std::vector<float> y(1);
  Convolution(shape, &x, weight.data(), nullptr, Activation::kNone, y.data());
  EXPECT_TRUE(BitEqual({0.0f}, y));
}

}  // namespace
}  // namespace lockstep::kernels
