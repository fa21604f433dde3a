#include "engine/kernels/elementwise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "engine/kernels/bit_equality.h"
#include "engine/kernels/reference/elementwise.h"

namespace lockstep::kernels {
namespace {

// Nothing, less than a vector, vectors +- 1, and enough for several threads.
const int64_t kSizes[] = {0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 100, 70001};
constexpr UnaryOp kUnaryOps[] = {UnaryOp::kNegate,
                                 UnaryOp::kAbsolute,
                                 UnaryOp::kSquare,
                                 UnaryOp::kSquareRoot,
                                 UnaryOp::kReciprocalSquareRoot,
                                 UnaryOp::kSign,
                                 UnaryOp::kExp,
                                 UnaryOp::kExpm1,
                                 UnaryOp::kLog,
                                 UnaryOp::kLog1p,
                                 UnaryOp::kSin,
                                 UnaryOp::kCos,
                                 UnaryOp::kErf,
                                 UnaryOp::kTanh,
                                 UnaryOp::kSigmoid,
                                 UnaryOp::kRelu};
constexpr BinaryOp kBinaryOps[] = {
    BinaryOp::kAdd,     BinaryOp::kSubtract,  BinaryOp::kMultiply, BinaryOp::kDivide,
    BinaryOp::kMaximum, BinaryOp::kMinimum,   BinaryOp::kEqual,    BinaryOp::kNotEqual,
    BinaryOp::kLess,    BinaryOp::kLessEqual, BinaryOp::kGreater,  BinaryOp::kGreaterEqual,
    BinaryOp::kPower};
const float kScalars[] = {0.0f, -0.0f, 1.7f, std::numeric_limits<float>::quiet_NaN()};

// Runs both twins and compares.
template <class Fast, class Reference>
void ExpectSame(int64_t size, const Fast& fast, const Reference& reference) {
  std::vector<float> want(size);
  std::vector<float> got(size);
  reference(want.data());
  fast(got.data());
  EXPECT_TRUE(BitEqual(want, got)) << "size " << size;
}

TEST(ElementwiseTest, UnaryEqualsItsTwin) {
  OnEverySetAndThreadCount([] {
    for (int64_t size : kSizes) {
      const std::vector<float> x = WildFloats(size, size);
      for (UnaryOp op : kUnaryOps) {
        SCOPED_TRACE(static_cast<int>(op));
        ExpectSame(
            size, [&](float* out) { Unary(op, size, x.data(), out); },
            [&](float* out) { reference::Unary(op, size, x.data(), out); });
      }
    }
  });
}

// The random floats above hit few arguments where exp is neither 0 nor infinity.
TEST(ElementwiseTest, TranscendentalsEqualTheirTwinsOverTheirWholeRange) {
  const int64_t size = 200001;
  std::vector<float> x(size);
  for (int64_t i = 0; i < size; ++i) x[i] = static_cast<float>(i - 100000) * 0.00110f;
  for (UnaryOp op : {UnaryOp::kExp, UnaryOp::kExpm1, UnaryOp::kLog, UnaryOp::kLog1p, UnaryOp::kSin,
                     UnaryOp::kCos, UnaryOp::kErf, UnaryOp::kTanh, UnaryOp::kSigmoid}) {
    std::vector<float> want(size);
    reference::Unary(op, size, x.data(), want.data());
    OnEverySetAndThreadCount([&] {
      std::vector<float> got(size);
      Unary(op, size, x.data(), got.data());
      EXPECT_TRUE(BitEqual(want, got)) << static_cast<int>(op);
    });
  }
}

TEST(ElementwiseTest, BinaryEqualsItsTwin) {
  OnEverySetAndThreadCount([] {
    for (int64_t size : kSizes) {
      const std::vector<float> a = WildFloats(size, size);
      const std::vector<float> b = WildFloats(size, size + 1);
      for (BinaryOp op : kBinaryOps) {
        SCOPED_TRACE(static_cast<int>(op));
        ExpectSame(
            size, [&](float* out) { Binary(op, size, a.data(), b.data(), out); },
            [&](float* out) { reference::Binary(op, size, a.data(), b.data(), out); });
        for (float s : kScalars) {
          ExpectSame(
              size, [&](float* out) { BinaryScalarRight(op, size, a.data(), s, out); },
              [&](float* out) { reference::BinaryScalarRight(op, size, a.data(), s, out); });
          ExpectSame(
              size, [&](float* out) { BinaryScalarLeft(op, size, s, b.data(), out); },
              [&](float* out) { reference::BinaryScalarLeft(op, size, s, b.data(), out); });
        }
      }
    }
  });
}

// The wild floats above hit few bases and exponents whose power is finite.
TEST(ElementwiseTest, PowersOfPairsEqualTheirTwin) {
  const int64_t size = 20001;
  std::vector<float> a = RandomFloats(size, 8), b = RandomFloats(size, 9);
  for (int64_t i = 0; i < size; ++i) {
    b[i] = i % 3 == 0 ? std::floor(b[i] * 8) : b[i] * 8;
    if (i % 7 == 0) a[i] = std::floor(a[i]);
  }
  OnEverySetAndThreadCount([&] {
    ExpectSame(
        size, [&](float* out) { Binary(BinaryOp::kPower, size, a.data(), b.data(), out); },
        [&](float* out) { reference::Binary(BinaryOp::kPower, size, a.data(), b.data(), out); });
  });
}

TEST(ElementwiseTest, SelectEqualsItsTwin) {
  OnEverySetAndThreadCount([] {
    for (int64_t size : kSizes) {
      const std::vector<float> condition = WildFloats(size, size);
      const std::vector<float> a = WildFloats(size + 1, 6), b = WildFloats(size + 1, 7);
      for (int repeats = 0; repeats < 4; ++repeats) {
        const bool a_repeats = repeats & 1, b_repeats = repeats & 2;
        ExpectSame(
            size,
            [&](float* out) {
              Select(size, condition.data(), a.data(), a_repeats, b.data(), b_repeats, out);
            },
            [&](float* out) {
              reference::Select(size, condition.data(), a.data(), a_repeats, b.data(), b_repeats,
                                out);
            });
      }
    }
  });
}

TEST(ElementwiseTest, RowsAndColumnsEqualTheirTwins) {
  const int64_t shapes[][2] = {{0, 5}, {5, 0}, {1, 1}, {3, 10}, {128, 17}, {5, 128}, {300, 301}};
  OnEverySetAndThreadCount([&] {
    for (const auto& [rows, columns] : shapes) {
      const std::vector<float> a = WildFloats(rows * columns, rows);
      const std::vector<float> row = WildFloats(columns, 1);
      const std::vector<float> column = WildFloats(rows, 2);
      for (BinaryOp op : kBinaryOps) {
        const int64_t r = rows;
        const int64_t c = columns;
        ExpectSame(
            r * c, [&](float* out) { BinaryRow(op, r, c, a.data(), row.data(), out); },
            [&](float* out) { reference::BinaryRow(op, r, c, a.data(), row.data(), out); });
        ExpectSame(
            r * c, [&](float* out) { BinaryColumn(op, r, c, a.data(), column.data(), out); },
            [&](float* out) { reference::BinaryColumn(op, r, c, a.data(), column.data(), out); });
      }
    }
  });
}

TEST(ElementwiseTest, ActivationBackwardEqualsItsTwin) {
  OnEverySetAndThreadCount([] {
    for (int64_t size : kSizes) {
      const std::vector<float> dy = WildFloats(size, 3);
      const std::vector<float> y = WildFloats(size, 4);
      for (ActivationGradient op :
           {ActivationGradient::kRelu, ActivationGradient::kTanh, ActivationGradient::kSigmoid}) {
        ExpectSame(
            size, [&](float* out) { ActivationBackward(op, size, dy.data(), y.data(), out); },
            [&](float* out) { reference::ActivationBackward(op, size, dy.data(), y.data(), out); });
      }
    }
  });
}

TEST(ElementwiseTest, PowerEqualsItsTwin) {
  const float exponents[] = {0.0f,  1.0f,  2.0f,  3.0f,  7.0f,
                             64.0f, 65.0f, -1.0f, -2.0f, -64.0f,
                             0.5f,  -0.5f, 1.25f, 1e30f, std::numeric_limits<float>::infinity()};
  OnEverySetAndThreadCount([&] {
    for (int64_t size : {int64_t{0}, int64_t{1}, int64_t{19}, int64_t{40000}}) {
      const std::vector<float> x = WildFloats(size, 5);
      for (float exponent : exponents) {
        SCOPED_TRACE(exponent);
        ExpectSame(
            size, [&](float* out) { Power(size, x.data(), exponent, out); },
            [&](float* out) { reference::Power(size, x.data(), exponent, out); });
      }
    }
  });
}

TEST(ElementwiseTest, AnOutputMayBeAnInput) {
  OnEverySetAndThreadCount([] {
    const std::vector<float> a = RandomFloats(70001, 6);
    std::vector<float> want(a.size());
    std::vector<float> in_place = a;
    reference::Binary(BinaryOp::kMultiply, a.size(), a.data(), a.data(), want.data());
    Binary(BinaryOp::kMultiply, a.size(), in_place.data(), in_place.data(), in_place.data());
    EXPECT_TRUE(BitEqual(want, in_place));
  });
}

}  // namespace
}  // namespace lockstep::kernels
