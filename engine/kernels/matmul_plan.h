// How a matrix product is cut: over threads, and for each thread into blocks that
// suit the caches. It decides speed alone; every plan gives the same bits.
#ifndef LOCKSTEP_ENGINE_KERNELS_MATMUL_PLAN_H_
#define LOCKSTEP_ENGINE_KERNELS_MATMUL_PLAN_H_

#include <cstdint>

#include "engine/kernels/matmul_part.h"

namespace lockstep::kernels {

// C[m,n] = A[m,k] B[k,n]; an operand's elements lie side by side along k, or else
// along m or n.
struct MatmulProblem {
  int64_t m = 0;
  int64_t n = 0;
  int64_t k = 0;
  bool a_depth_contiguous = false;
  bool b_depth_contiguous = false;
  int shards = 1;
};

struct MatmulPlan {
  // C^T = B^T A^T is computed instead: B takes A's place.
  bool transposed = false;
  // The threads as a grid over C's rows and columns (those of C^T).
  int row_teams = 1;
  int column_teams = 1;
  // A is copied into panels; else it is read where it lies.
  bool pack_rows = false;
  int64_t depth_blocks = 1;
  int64_t block_rows = 1;
};

// The plan whose busiest thread has least to do, by a model of it: multiply-adds
// and copies of operands. Requires: m, n, threads >= 1.
MatmulPlan PlanMatmul(const MatmulTileShape& tile, const MatmulProblem& problem, int threads);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_MATMUL_PLAN_H_
