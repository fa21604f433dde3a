// The definition of embedding.h, one element after another. With T = float the
// fast kernels are equal to it in every bit; with T = double it is what computes.
#ifndef LOCKSTEP_ENGINE_KERNELS_REFERENCE_EMBEDDING_H_
#define LOCKSTEP_ENGINE_KERNELS_REFERENCE_EMBEDDING_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/kernels/reference/shard_tree.h"

namespace lockstep::kernels::reference {

template <class T>
void Embedding(int64_t positions, int64_t width, const int64_t* indices, const T* table, T* out) {
  for (int64_t p = 0; p < positions; ++p) {
    for (int64_t i = 0; i < width; ++i) out[p * width + i] = table[indices[p] * width + i];
  }
}

template <class T>
void EmbeddingBackward(int64_t entries, int64_t width, absl::Span<const int64_t> cuts,
                       const int64_t* indices, int64_t padding_index, const T* dy, T* dtable) {
  const int shards = static_cast<int>(cuts.size()) - 1;
  const std::vector<T> sums = TreeSum({0, shards}, [&](int shard) {
    std::vector<T> table(entries * width);
    for (int64_t p = cuts[shard]; p < cuts[shard + 1]; ++p) {
      if (indices[p] == padding_index) continue;
      for (int64_t i = 0; i < width; ++i) {
        T& sum = table[indices[p] * width + i];
        sum = sum + dy[p * width + i];
      }
    }
    return table;
  });
  std::copy(sums.begin(), sums.end(), dtable);
}

}  // namespace lockstep::kernels::reference

#endif  // LOCKSTEP_ENGINE_KERNELS_REFERENCE_EMBEDDING_H_
