// Rows of a table, looked up by index, and the sums that go back to them.
#ifndef LOCKSTEP_ENGINE_KERNELS_EMBEDDING_H_
#define LOCKSTEP_ENGINE_KERNELS_EMBEDDING_H_

#include <cstdint>

#include "absl/types/span.h"

namespace lockstep::kernels {

// out[p] = table[indices[p]]. Shapes: indices [positions], table [entries,
// width], out [positions, width]. Requires: 0 <= index < entries.
void Embedding(int64_t positions, int64_t width, const int64_t* indices, const float* table,
               float* out);

// The table's gradient. Shapes: indices [positions], dy [positions, width],
// dtable [entries, width], all of it written. Requires: 0 <= index < entries;
// cuts.back() positions.
// Order, per entry: for each shard one chain of additions from +0 over those of
// its positions [cuts[i], cuts[i+1]) that look the entry up, ascending; then the
// shard tree. So an entry that nobody looks up has +0, and a shard without it
// adds +0, which changes no sum. `padding_index`'s gradient is +0 whoever looks
// it up; -1: there is none.
void EmbeddingBackward(int64_t entries, int64_t width, absl::Span<const int64_t> cuts,
                       const int64_t* indices, int64_t padding_index, const float* dy,
                       float* dtable);

// The same on float64, by plain loops.
void Embedding(int64_t positions, int64_t width, const int64_t* indices, const double* table,
               double* out);
void EmbeddingBackward(int64_t entries, int64_t width, absl::Span<const int64_t> cuts,
                       const int64_t* indices, int64_t padding_index, const double* dy,
                       double* dtable);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_EMBEDDING_H_
