#include "engine/kernels/batched_matmul.h"

#include "engine/kernels/parallel.h"

namespace lockstep::kernels {
namespace {

// Below so many multiply-adds in all, a second thread costs more than it brings.
constexpr int64_t kMultiplyAddsPerThread = 128 * 1024;
// A product from here on keeps several threads busy by itself.
constexpr int64_t kLargeProduct = 8 * 1024 * 1024;

template <class T>
MatmulOperandOf<T> MatrixOf(const BatchedOperandOf<T>& operand, int64_t i) {
  return {operand.first.data + i * operand.stride, operand.first.transposed};
}

}  // namespace

void BatchedMatmul(int64_t batch, int64_t m, int64_t n, int64_t k, BatchedOperand a,
                   BatchedOperand b, float* c) {
  const int64_t product = m * n * k;
  const int threads = product >= kLargeProduct
                          ? 1
                          : static_cast<int>(std::min<int64_t>(
                                batch, ThreadsFor(batch * product, kMultiplyAddsPerThread)));
  const auto multiply = [&](int64_t i) {
    Matmul(m, n, k, MatrixOf(a, i), MatrixOf(b, i), nullptr, Activation::kNone, c + i * m * n);
  };
  if (threads <= 1) {
    for (int64_t i = 0; i < batch; ++i) multiply(i);
    return;
  }
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t i = 0; i < batch; ++i) multiply(i);
}

void BatchedMatmul(int64_t batch, int64_t m, int64_t n, int64_t k, BatchedOperandOf<double> a,
                   BatchedOperandOf<double> b, double* c) {
  for (int64_t i = 0; i < batch; ++i) {
    Matmul(m, n, k, MatrixOf(a, i), MatrixOf(b, i), nullptr, Activation::kNone, c + i * m * n);
  }
}

}  // namespace lockstep::kernels
