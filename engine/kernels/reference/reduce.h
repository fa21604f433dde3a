// The definition of reduce.h's sums, one element after another. With T = float
// the fast kernels are equal to it in every bit; with T = double it is what
// computes.
#ifndef LOCKSTEP_ENGINE_KERNELS_REFERENCE_REDUCE_H_
#define LOCKSTEP_ENGINE_KERNELS_REFERENCE_REDUCE_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/kernels/reference/shard_tree.h"

namespace lockstep::kernels::reference {

template <class T>
void SumRows(int64_t rows, int64_t columns, const T* x, T* out) {
  for (int64_t row = 0; row < rows; ++row) {
    T lanes[16] = {};
    for (int64_t c = 0; c < columns; ++c) lanes[c % 16] = lanes[c % 16] + x[row * columns + c];
    for (int i = 0; i < 8; ++i) lanes[i] = lanes[i] + lanes[i + 8];
    for (int i = 0; i < 4; ++i) lanes[i] = lanes[i] + lanes[i + 4];
    for (int i = 0; i < 2; ++i) lanes[i] = lanes[i] + lanes[i + 2];
    out[row] = lanes[0] + lanes[1];
  }
}

template <class T>
void SumColumns(int64_t rows, int64_t columns, const T* x, T* out) {
  for (int64_t c = 0; c < columns; ++c) {
    out[c] = 0;
    for (int64_t row = 0; row < rows; ++row) out[c] = out[c] + x[row * columns + c];
  }
}

template <class T>
void SumColumnsShardTree(int64_t columns, absl::Span<const int64_t> cuts, const T* x, T* out) {
  const int shards = static_cast<int>(cuts.size()) - 1;
  const std::vector<T> sum = TreeSum({0, shards}, [&](int shard) {
    std::vector<T> sums(columns);
    reference::SumColumns(cuts[shard + 1] - cuts[shard], columns, x + cuts[shard] * columns,
                          sums.data());
    return sums;
  });
  std::copy(sum.begin(), sum.end(), out);
}

}  // namespace lockstep::kernels::reference

#endif  // LOCKSTEP_ENGINE_KERNELS_REFERENCE_REDUCE_H_
