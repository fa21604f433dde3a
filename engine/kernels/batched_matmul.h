// Many matrix products of one size, each as kernels::Matmul defines it.
// Threads: any thread; small products are shared out whole, large ones one
// after another, each by all threads.
#ifndef LOCKSTEP_ENGINE_KERNELS_BATCHED_MATMUL_H_
#define LOCKSTEP_ENGINE_KERNELS_BATCHED_MATMUL_H_

#include <cstdint>

#include "engine/kernels/matmul.h"

namespace lockstep::kernels {

// Matrix i of a batch is operand, `stride` elements after matrix i - 1.
template <class T>
struct BatchedOperandOf {
  MatmulOperandOf<T> first;
  int64_t stride = 0;  // 0: the same one for the whole batch
};
using BatchedOperand = BatchedOperandOf<float>;

// C[i][m,n] = A[i][m,k] B[i][k,n] for i < batch; C lies densely.
// Order: each element is one chain of fma, k ascending from +0.
void BatchedMatmul(int64_t batch, int64_t m, int64_t n, int64_t k, BatchedOperand a,
                   BatchedOperand b, float* c);
// By plain loops, as all of float64.
void BatchedMatmul(int64_t batch, int64_t m, int64_t n, int64_t k, BatchedOperandOf<double> a,
                   BatchedOperandOf<double> b, double* c);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_BATCHED_MATMUL_H_
