// Results so large that kernels write them around the caches have the twins'
// bits too.
#include "engine/kernels/streaming.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <functional>
#include <vector>

#include "engine/kernels/activation.h"
#include "engine/kernels/aligned_buffer.h"
#include "engine/kernels/bit_equality.h"
#include "engine/kernels/elementwise.h"
#include "engine/kernels/layer_norm.h"
#include "engine/kernels/reference/activation.h"
#include "engine/kernels/reference/elementwise.h"
#include "engine/kernels/reference/layer_norm.h"
#include "engine/kernels/reference/softmax.h"
#include "engine/kernels/softmax.h"

namespace lockstep::kernels {
namespace {

constexpr int64_t kColumns = 1024;
constexpr int64_t kRowsPerThread = kStreamedElements / kColumns;
constexpr int64_t kMostRows = kMostTestThreads * kRowsPerThread;

// Writes the first `rows` rows of its result.
using Kernel = std::function<void(int64_t rows, float* out)>;

// Each thread gets just as much as it takes to stream. `out` begins at a
// multiple of 64 bytes, and after it, where streaming is not possible.
void ExpectSame(const Kernel& kernel, const Kernel& twin) {
  std::vector<float> want(kMostRows * kColumns);
  twin(kMostRows, want.data());
  AlignedBuffer buffer;
  float* const memory = buffer.Reserve(kMostRows * kColumns + 1);
  OnEverySetAndThreadCount([&] {
    const int64_t rows = omp_get_max_threads() * kRowsPerThread;
    const std::vector<float> expected(want.begin(), want.begin() + rows * kColumns);
    for (float* const out : {memory, memory + 1}) {
      ASSERT_EQ(ShouldStreamRows(kRowsPerThread, kColumns, out), out == memory);
      std::fill_n(out, rows * kColumns, -1.0f);
      kernel(rows, out);
      EXPECT_TRUE(BitEqual(expected, std::vector<float>(out, out + rows * kColumns)));
    }
  });
}

class StreamingTest : public testing::Test {
 protected:
  const std::vector<float> x_ = RandomFloats(kMostRows * kColumns, 1);
  const std::vector<float> dy_ = RandomFloats(kMostRows * kColumns, 2);
  const std::vector<float> row_ = RandomFloats(kColumns, 3);
};

TEST_F(StreamingTest, ElementwiseEqualsItsTwin) {
  ExpectSame(
      [&](int64_t rows, float* out) { Unary(UnaryOp::kRelu, rows * kColumns, x_.data(), out); },
      [&](int64_t rows, float* out) {
        reference::Unary(UnaryOp::kRelu, rows * kColumns, x_.data(), out);
      });
  ExpectSame(
      [&](int64_t rows, float* out) {
        Binary(BinaryOp::kAdd, rows * kColumns, x_.data(), dy_.data(), out);
      },
      [&](int64_t rows, float* out) {
        reference::Binary(BinaryOp::kAdd, rows * kColumns, x_.data(), dy_.data(), out);
      });
  ExpectSame(
      [&](int64_t rows, float* out) {
        BinaryRow(BinaryOp::kMultiply, rows, kColumns, x_.data(), row_.data(), out);
      },
      [&](int64_t rows, float* out) {
        reference::BinaryRow(BinaryOp::kMultiply, rows, kColumns, x_.data(), row_.data(), out);
      });
  ExpectSame(
      [&](int64_t rows, float* out) {
        ActivateBackward(ActivationFunction::kGelu, {}, rows * kColumns, dy_.data(), x_.data(),
                         out);
      },
      [&](int64_t rows, float* out) {
        reference::ActivateBackward(ActivationFunction::kGelu, {}, rows * kColumns, dy_.data(),
                                    x_.data(), out);
      });
}

TEST_F(StreamingTest, SoftmaxEqualsItsTwin) {
  ExpectSame(
      [&](int64_t rows, float* out) { Softmax(rows, kColumns, 0.5f, x_.data(), out); },
      [&](int64_t rows, float* out) { reference::Softmax(rows, kColumns, 0.5f, x_.data(), out); });
  ExpectSame([&](int64_t rows,
                 float* out) { SoftmaxBackward(rows, kColumns, 0.5f, x_.data(), dy_.data(), out); },
             [&](int64_t rows, float* out) {
               reference::SoftmaxBackward(rows, kColumns, 0.5f, x_.data(), dy_.data(), out);
             });
}

TEST_F(StreamingTest, LayerNormEqualsItsTwin) {
  std::vector<float> mean(kMostRows), rstd(kMostRows);
  ExpectSame(
      [&](int64_t rows, float* out) {
        LayerNorm(rows, kColumns, 1e-5f, x_.data(), row_.data(), row_.data(), out, mean.data(),
                  rstd.data());
      },
      [&](int64_t rows, float* out) {
        reference::LayerNorm(rows, kColumns, 1e-5f, x_.data(), row_.data(), row_.data(), out,
                             mean.data(), rstd.data());
      });
  ExpectSame(
      [&](int64_t rows, float* out) {
        LayerNormBackward(rows, kColumns, x_.data(), mean.data(), rstd.data(), row_.data(),
                          dy_.data(), out);
      },
      [&](int64_t rows, float* out) {
        reference::LayerNormBackward(rows, kColumns, x_.data(), mean.data(), rstd.data(),
                                     row_.data(), dy_.data(), out);
      });
}

}  // namespace
}  // namespace lockstep::kernels
