// A block of a matrix product as the register tiles see it: both operands
// packed into panels, one run of k, and what happens to C.
//
// Layout. Row panel i of A holds rows [i * tile_rows, ...) as [depth][tile_rows]:
// what one k step needs lies together. Column panel j of B holds columns
// [j * tile_columns, ...) as [depth][width], where width is tile_columns, or for
// the last panel its columns rounded up to whole vectors (zeros fill up).
#ifndef LOCKSTEP_ENGINE_KERNELS_MATMUL_BLOCK_H_
#define LOCKSTEP_ENGINE_KERNELS_MATMUL_BLOCK_H_

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

struct MatmulBlock {
  MatmulSource a_source;
  MatmulSource b_source;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t depth = 0;
  float* a_panels = nullptr;
  float* b_panels = nullptr;
  bool first = true;  // no other thread can still be reading the panels

  // The shards within depth: cuts[0..shards], and how often the sums are
  // folded after each (shard_folds.h). A plain product is one shard, no fold.
  int shards = 1;
  const int64_t* cuts = nullptr;
  const int* folds = nullptr;
  int stack_depth = 1;

  // The chain goes on from what C holds.
  bool continues = false;
  // Added after the chain; null: nothing is.
  const float* bias = nullptr;
  bool relu = false;
  float* c = nullptr;
  int64_t c_stride = 0;
};

// A rectangle of register tiles, in panels.
struct MatmulTileRange {
  int64_t first_row_panel = 0;
  int64_t end_row_panel = 0;
  int64_t first_column_panel = 0;
  int64_t end_column_panel = 0;
};

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_MATMUL_BLOCK_H_
