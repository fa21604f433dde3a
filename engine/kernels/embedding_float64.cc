// embedding.h on float64: the scalar definition itself.
#include "engine/kernels/embedding.h"
#include "engine/kernels/reference/embedding.h"

namespace lockstep::kernels {

void Embedding(int64_t positions, int64_t width, const int64_t* indices, const double* table,
               double* out) {
  reference::Embedding(positions, width, indices, table, out);
}

void EmbeddingBackward(int64_t entries, int64_t width, absl::Span<const int64_t> cuts,
                       const int64_t* indices, int64_t padding_index, const double* dy,
                       double* dtable) {
  reference::EmbeddingBackward(entries, width, cuts, indices, padding_index, dy, dtable);
}

}  // namespace lockstep::kernels
