// One thread's part of a matrix product: operands as they lie in memory, a
// rectangle of C, and scratch memory. Nothing is shared with other threads, so
// they never wait for one another.
#ifndef LOCKSTEP_ENGINE_KERNELS_MATMUL_PART_H_
#define LOCKSTEP_ENGINE_KERNELS_MATMUL_PART_H_

#include <cstdint>

namespace lockstep::kernels {

// The register tile of an instruction set.
struct MatmulTileShape {
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t vector = 0;  // columns come in multiples of it
};

// An operand as it lies in memory; i counts rows of A or columns of B.
struct MatmulSource {
  const float* data = nullptr;
  int64_t stride = 0;
  // Element (i, k) is data[i * stride + k]; else data[k * stride + i].
  bool depth_contiguous = false;
};

struct MatmulPart {
  MatmulSource a;
  MatmulSource b;
  int64_t depth = 0;
  // Runs of k whose tiles are computed one after another, as even as can be.
  int64_t depth_blocks = 1;
  int64_t first_row = 0;  // of C
  int64_t end_row = 0;
  int64_t first_column = 0;
  int64_t end_column = 0;

  // The shards within depth: cuts[0..shards], and how often the sums are
  // folded after each (shard_folds.h). A plain product is one shard, no fold.
  // Requires: one depth block where there are several.
  int shards = 1;
  const int64_t* cuts = nullptr;
  const int* folds = nullptr;

  // Added after the chain; null: nothing is.
  const float* bias = nullptr;
  bool relu = false;
  float* c = nullptr;
  int64_t c_stride = 0;
  // C is stored as its transpose, element (m, n) at c[n * c_stride + m], and the
  // bias is one per row.
  bool c_transposed = false;

  // Scratch. Rows of A that are packed at a time, and their panels (null: A is
  // read where it lies); one panel of B; a stack of register tiles, one more than
  // the shards' folds need; for a transposed C of several depth blocks its sums so
  // far, [rows][sums_columns].
  int64_t block_rows = 0;
  float* a_panels = nullptr;
  float* b_panel = nullptr;
  float* tiles = nullptr;
  float* sums = nullptr;
  int64_t sums_columns = 0;
};

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_MATMUL_PART_H_
