// reduce.h on float64: the scalar definition itself.
#include "engine/kernels/reference/reduce.h"

namespace lockstep::kernels {

void SumRows(int64_t rows, int64_t columns, const double* x, double* out) {
  reference::SumRows(rows, columns, x, out);
}

void SumColumns(int64_t rows, int64_t columns, const double* x, double* out) {
  reference::SumColumns(rows, columns, x, out);
}

void SumColumnsShardTree(int64_t columns, absl::Span<const int64_t> cuts, const double* x,
                         double* out) {
  reference::SumColumnsShardTree(columns, cuts, x, out);
}

}  // namespace lockstep::kernels
