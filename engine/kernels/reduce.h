// Sums in canonical order.
#ifndef LOCKSTEP_ENGINE_KERNELS_REDUCE_H_
#define LOCKSTEP_ENGINE_KERNELS_REDUCE_H_

#include <cstdint>

#include "absl/types/span.h"

namespace lockstep::kernels {

// out[r] = sum over c of x[r,c].
// Order: 16 lanes starting at +0; lane i adds elements i, i+16, ... ascending;
// then lane i += lane i+8 for i < 8, += i+4 for i < 4, += i+2, += i+1.
void SumRows(int64_t rows, int64_t columns, const float* x, float* out);

// out[c] = sum over r of x[r,c].
// Order: one chain of additions per column, r ascending, starting at +0.
void SumColumns(int64_t rows, int64_t columns, const float* x, float* out);

// out[c] = the shard tree over the column sums of the row runs
// [cuts[i], cuts[i+1]): a bias's gradient. Order: each run as SumColumns, then
// the tree's additions. Shapes and cuts: as MatmulShardTree.
void SumColumnsShardTree(int64_t columns, absl::Span<const int64_t> cuts, const float* x,
                         float* out);

// The same on float64, by plain loops.
void SumRows(int64_t rows, int64_t columns, const double* x, double* out);
void SumColumns(int64_t rows, int64_t columns, const double* x, double* out);
void SumColumnsShardTree(int64_t columns, absl::Span<const int64_t> cuts, const double* x,
                         double* out);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_REDUCE_H_
