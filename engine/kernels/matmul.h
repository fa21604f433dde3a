// Matrix products in canonical arithmetic (docs/arithmetic.md).
//
// Order: every element of C is one chain acc = fma(a[m,k], b[k,n], acc), k
// ascending, acc starting at +0, then `+ bias[n]`, then the activation. Blocks,
// tiles, registers and threads are cut along m and n, and along k only so that
// the chain goes on where it stopped.
// Threads: any thread; splits its work over OpenMP's.
#ifndef LOCKSTEP_ENGINE_KERNELS_MATMUL_H_
#define LOCKSTEP_ENGINE_KERNELS_MATMUL_H_

#include <cstdint>

#include "absl/types/span.h"

namespace lockstep::kernels {

// What is done to an element after the bias.
enum class Activation { kNone, kRelu };

// An operand as it lies in memory, row-major. `transposed` means that the
// product uses its transpose: a [rows, columns] matrix stored as [columns, rows].
template <class T>
struct MatmulOperandOf {
  const T* data = nullptr;
  bool transposed = false;
};
using MatmulOperand = MatmulOperandOf<float>;

// C[m,n] = activation(A[m,k] B[k,n] + bias[n]); bias may be null.
// Requires: C overlaps no operand. k = 0 gives +0 (before the bias).
void Matmul(int64_t m, int64_t n, int64_t k, MatmulOperand a, MatmulOperand b, const float* bias,
            Activation activation, float* c);
// By plain loops, as all of float64.
void Matmul(int64_t m, int64_t n, int64_t k, MatmulOperandOf<double> a, MatmulOperandOf<double> b,
            const double* bias, Activation activation, double* c);

// C[m,n] = the shard tree (engine/shard_tree.h) over the products of runs of
// k: A[cuts[i]..cuts[i+1], m]^T B[cuts[i]..cuts[i+1], n]. A weight's gradient,
// with A the output's gradient and B the input, both [examples, features].
// Shapes: a [cuts.back(), m], b [cuts.back(), n], c [m, n]; cuts ascending from
// 0, at least two; equal neighbours are an empty shard, whose product is +0.
// Order: as above within a shard; then the tree's additions. A register tile is
// finished shard after shard and folded in cache, so C is written once.
void MatmulShardTree(int64_t m, int64_t n, absl::Span<const int64_t> cuts, const float* a,
                     const float* b, float* c);
void MatmulShardTree(int64_t m, int64_t n, absl::Span<const int64_t> cuts, const double* a,
                     const double* b, double* c);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_MATMUL_H_
