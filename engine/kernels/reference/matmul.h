// The definition of matmul.h's products, one element after another. With T =
// float the fast kernels are equal to it in every bit; with T = double it is
// what computes.
#ifndef LOCKSTEP_ENGINE_KERNELS_REFERENCE_MATMUL_H_
#define LOCKSTEP_ENGINE_KERNELS_REFERENCE_MATMUL_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/kernels/matmul.h"
#include "engine/kernels/reference/shard_tree.h"

namespace lockstep::kernels::reference {

template <class T>
void Matmul(int64_t m, int64_t n, int64_t k, MatmulOperandOf<Same<T>> a, MatmulOperandOf<Same<T>> b,
            const Same<T>* bias, Activation activation, T* c) {
  for (int64_t row = 0; row < m; ++row) {
    for (int64_t column = 0; column < n; ++column) {
      T sum = 0;
      for (int64_t i = 0; i < k; ++i) {
        const T left = a.transposed ? a.data[i * m + row] : a.data[row * k + i];
        const T right = b.transposed ? b.data[column * k + i] : b.data[i * n + column];
        sum = std::fma(left, right, sum);
      }
      if (bias != nullptr) sum = sum + bias[column];
      if (activation == Activation::kRelu) sum = sum <= 0 ? T{0} : sum;
      c[row * n + column] = sum;
    }
  }
}

template <class T>
void MatmulShardTree(int64_t m, int64_t n, absl::Span<const int64_t> cuts, const T* a, const T* b,
                     T* c) {
  const int shards = static_cast<int>(cuts.size()) - 1;
  const std::vector<T> sum = TreeSum({0, shards}, [&](int shard) {
    std::vector<T> product(m * n);
    reference::Matmul(m, n, cuts[shard + 1] - cuts[shard], {a + cuts[shard] * m, true},
                      {b + cuts[shard] * n, false}, nullptr, Activation::kNone, product.data());
    return product;
  });
  std::copy(sum.begin(), sum.end(), c);
}

}  // namespace lockstep::kernels::reference

#endif  // LOCKSTEP_ENGINE_KERNELS_REFERENCE_MATMUL_H_
