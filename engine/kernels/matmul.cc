#include "engine/kernels/matmul.h"

#include "engine/kernels/highway_targets.h"
#include "engine/kernels/matmul_part.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/matmul.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h, which sets what they are compiled for.
#include "engine/kernels/matmul_pack-inl.h"
#include "engine/kernels/matmul_shard_tile-inl.h"
#include "engine/kernels/matmul_tile-inl.h"
#include "engine/kernels/vectors-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

void TileShape(MatmulTileShape& shape) {
  shape.rows = kTileRows;
  shape.vector = static_cast<int64_t>(hn::Lanes(FloatTag()));
  shape.columns = kTileVectors * shape.vector;
}

// Some rows of A, a run of k and a panel of B.
struct TileColumn {
  int64_t first_row = 0;
  int64_t end_row = 0;
  int64_t first_depth = 0;
  int64_t depth = 0;
  bool last_depth = true;
  int64_t first_column = 0;
  int64_t columns = 0;
};

// Where a panel of B is read: packed, or where it lies when few tiles would use
// the copy.
HWY_INLINE const float* ColumnPanel(const MatmulPart& part, const TileColumn& column,
                                    int64_t& b_stride) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(FloatTag()));
  MatmulSource source = part.b;
  source.data += column.first_depth * (source.depth_contiguous ? 1 : source.stride);
  const bool few = column.end_row - column.first_row <= 2 * kTileRows;
  if (few && !source.depth_contiguous && column.columns % lanes == 0) {
    b_stride = source.stride;
    return source.data + column.first_column;
  }
  b_stride = (column.columns + lanes - 1) / lanes * lanes;
  PackColumnPanel(source, column.first_column, column.columns, column.depth, lanes, part.b_panel);
  return part.b_panel;
}

// The tile's place in A: in the packed panels, or where it lies.
HWY_INLINE void PlaceRows(const MatmulPart& part, const TileColumn& column, int64_t row,
                          int64_t rows, TileTask& task) {
  if (part.a_panels != nullptr) {
    task.a = part.a_panels + (row - column.first_row) * column.depth;
    task.a_row_stride = 1;
    task.a_depth_stride = rows;
  } else if (part.a.depth_contiguous) {
    task.a = part.a.data + row * part.a.stride + column.first_depth;
    task.a_row_stride = part.a.stride;
    task.a_depth_stride = 1;
  } else {
    task.a = part.a.data + column.first_depth * part.a.stride + row;
    task.a_row_stride = 1;
    task.a_depth_stride = part.a.stride;
  }
}

// Asks for the rows of C that a tile will go on from or be stored to, so that
// nobody waits for their lines when it is done.
HWY_INLINE void PrefetchSums(const float* sums, int64_t stride, int64_t rows, int64_t width) {
  constexpr int64_t kLine = 16;
  for (int64_t row = 0; row < rows; ++row, sums += stride) {
    for (int64_t i = 0; i < width; i += kLine) __builtin_prefetch(sums + i, 1, 3);
  }
}

// Before tile `tile` of `tiles` of a column: asks for a part of the next column's
// panel of B.
HWY_INLINE void PrefetchNextPanel(const MatmulPart& part, const TileColumn& column, int64_t tile,
                                  int64_t tiles) {
  MatmulSource source = part.b;
  source.data += column.first_depth * (source.depth_contiguous ? 1 : source.stride);
  const int64_t first = column.first_column + column.columns;
  PrefetchColumnPanel(source, first, HWY_MIN(column.columns, part.end_column - first), column.depth,
                      tile, tiles);
}

// What a tile of rows from `row` on starts from and where it ends. C's transpose
// has its sums in rows of their own, and is turned from a tile of scratch.
HWY_INLINE void PlaceSums(const MatmulPart& part, const TileColumn& column, int64_t row,
                          int64_t width, TileTask& task) {
  float* sums = part.c + row * part.c_stride + column.first_column;
  if (part.c_transposed) {
    sums = part.sums + (row - part.first_row) * part.sums_columns + column.first_column -
           part.first_column;
  }
  task.start_stride = part.c_transposed ? part.sums_columns : part.c_stride;
  task.start = column.first_depth > 0 ? sums : nullptr;
  const bool turned = part.c_transposed && column.last_depth;
  task.out = turned ? part.tiles : sums;
  task.out_stride = turned ? width : task.start_stride;
  if (!column.last_depth) return;
  task.relu = part.relu;
  if (part.bias == nullptr) return;
  if (part.c_transposed) {
    task.row_bias = part.bias + row;
  } else {
    task.bias = part.bias + column.first_column;
  }
}

// The same tile of a product in shards.
HWY_INLINE void ComputeShards(const MatmulPart& part, int64_t rows, int64_t vectors,
                              const TileTask& tile) {
  ShardTileTask task;
  task.a_row_stride = tile.a_row_stride;
  task.a_depth_stride = tile.a_depth_stride;
  task.b = tile.b;
  task.b_stride = tile.b_stride;
  task.shards = part.shards;
  task.cuts = part.cuts;
  task.folds = part.folds;
  task.stack = part.tiles;
  task.out_stride = tile.out_stride;
  task.last_lanes = tile.last_lanes;
  for (int64_t row = 0; row < rows; row += kShardTileRows) {
    task.a = tile.a + row * tile.a_row_stride;
    task.out = tile.out + row * tile.out_stride;
    ComputeShardTileOf(HWY_MIN(int64_t{kShardTileRows}, rows - row), vectors, task);
  }
}

// All tiles of the column; `task` knows its B and depth.
HWY_INLINE void ComputeColumn(const MatmulPart& part, const TileColumn& column, TileTask task) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(FloatTag()));
  const int64_t vectors = (column.columns + lanes - 1) / lanes;
  const int64_t width = vectors * lanes;
  const int64_t tiles = (column.end_row - column.first_row + kTileRows - 1) / kTileRows;
  task.last_lanes = part.c_transposed ? lanes : column.columns - (vectors - 1) * lanes;
  for (int64_t tile = 0; tile < tiles; ++tile) {
    const int64_t row = column.first_row + tile * kTileRows;
    const int64_t rows = HWY_MIN(int64_t{kTileRows}, column.end_row - row);
    PlaceRows(part, column, row, rows, task);
    PlaceSums(part, column, row, width, task);
    PrefetchNextPanel(part, column, tile, tiles);
    if (task.start == nullptr) {
      PrefetchSums(task.out, task.out_stride, rows, width);
    } else if (tile + 1 < tiles) {
      PrefetchSums(task.start + kTileRows * task.start_stride, task.start_stride, rows, width);
    }
    if (part.shards > 1) {
      ComputeShards(part, rows, vectors, task);
    } else {
      ComputeTileOf(rows, vectors, task);
    }
    if (part.c_transposed && column.last_depth) {
      PackTransposed(part.tiles, width, rows, column.columns,
                     part.c + column.first_column * part.c_stride + row, part.c_stride);
    }
  }
}

// A block of rows and a run of k: A's panels once, then B's one after the other,
// each used while it is in the nearest cache.
HWY_INLINE void ComputeBlock(const MatmulPart& part, TileColumn column) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(FloatTag()));
  if (part.a_panels != nullptr) {
    MatmulSource source = part.a;
    source.data += column.first_depth * (source.depth_contiguous ? 1 : source.stride);
    PackRowPanels<kTileRows>(source, column.first_row, column.end_row - column.first_row,
                             column.depth, part.a_panels);
  }
  TileTask task;
  task.depth = column.depth;
  const int64_t columns = part.end_column - part.first_column;
  const int64_t vectors = (columns + lanes - 1) / lanes;
  const int64_t panels = (vectors + kTileVectors - 1) / kTileVectors;
  for (int64_t panel = 0; panel < panels; ++panel) {
    const int64_t first = vectors * panel / panels * lanes;
    const int64_t end = HWY_MIN(columns, vectors * (panel + 1) / panels * lanes);
    column.first_column = part.first_column + first;
    column.columns = end - first;
    task.b = ColumnPanel(part, column, task.b_stride);
    ComputeColumn(part, column, task);
  }
}

void ComputePart(const MatmulPart& part) {
  TileColumn column;
  for (int64_t row = part.first_row; row < part.end_row; row += part.block_rows) {
    column.first_row = row;
    column.end_row = HWY_MIN(row + part.block_rows, part.end_row);
    for (int64_t i = 0; i < part.depth_blocks; ++i) {
      column.first_depth = part.depth * i / part.depth_blocks;
      column.depth = part.depth * (i + 1) / part.depth_blocks - column.first_depth;
      column.last_depth = i + 1 == part.depth_blocks;
      ComputeBlock(part, column);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "engine/check.h"
#include "engine/kernels/aligned_buffer.h"
#include "engine/kernels/matmul_plan.h"
#include "engine/kernels/parallel.h"
#include "engine/kernels/shard_folds.h"

namespace lockstep::kernels {
HWY_EXPORT(TileShape);
HWY_EXPORT(ComputePart);
namespace {

// Below so many multiply-adds a second thread costs more than it brings.
constexpr int64_t kMultiplyAddsPerThread = 128 * 1024;

// Part `part` of `parts` of [0, items), in whole `unit`s, as even as can be.
void Share(int64_t items, int64_t unit, int part, int parts, int64_t& begin, int64_t& end) {
  const int64_t units = (items + unit - 1) / unit;
  begin = std::min(items, units * part / parts * unit);
  end = std::min(items, units * (part + 1) / parts * unit);
}

// Gives the part its scratch memory, which the thread keeps.
void ReserveScratch(const MatmulPlan& plan, const MatmulTileShape& tile, int stack_depth,
                    MatmulPart& part) {
  static thread_local AlignedBuffer buffer;
  const int64_t tile_size = tile.rows * tile.columns;
  const int64_t rows = std::min(part.block_rows, part.end_row - part.first_row);
  const int64_t depth =
      std::max<int64_t>(1, (part.depth + part.depth_blocks - 1) / part.depth_blocks);
  const int64_t panel = tile.columns * depth;
  const int64_t tiles = (stack_depth + 1) * tile_size;
  const int64_t a_size = plan.pack_rows ? (rows * depth + 15) / 16 * 16 : 0;
  const bool sums = part.c_transposed && part.depth_blocks > 1;
  part.sums_columns =
      (part.end_column - part.first_column + tile.vector - 1) / tile.vector * tile.vector;
  const int64_t sums_size = sums ? (part.end_row - part.first_row) * part.sums_columns : 0;
  float* next = buffer.Reserve(panel + tiles + a_size + sums_size);
  part.b_panel = next;
  part.tiles = next += panel;
  part.a_panels = plan.pack_rows ? next + tiles : nullptr;
  part.sums = next + tiles + a_size;
}

// `whole` has all but rectangle and scratch.
void RunParts(const MatmulPlan& plan, const MatmulTileShape& tile, int64_t rows, int64_t columns,
              int stack_depth, const MatmulPart& whole) {
  const auto run = [&](int index) {
    MatmulPart part = whole;
    Share(rows, 1, index / plan.column_teams, plan.row_teams, part.first_row, part.end_row);
    Share(columns, tile.vector, index % plan.column_teams, plan.column_teams, part.first_column,
          part.end_column);
    if (part.first_row == part.end_row || part.first_column == part.end_column) return;
    ReserveScratch(plan, tile, stack_depth, part);
    HWY_DYNAMIC_DISPATCH(ComputePart)(part);
  };
  const int threads = plan.row_teams * plan.column_teams;
  if (threads == 1) return run(0);
#pragma omp parallel for schedule(static, 1) num_threads(threads)
  for (int i = 0; i < threads; ++i) run(i);
}

}  // namespace

void Matmul(int64_t m, int64_t n, int64_t k, MatmulOperand a, MatmulOperand b, const float* bias,
            Activation activation, float* c) {
  if (m == 0 || n == 0) return;
  MatmulTileShape tile;
  HWY_DYNAMIC_DISPATCH(TileShape)(tile);
  MatmulPart whole;
  whole.a = {a.data, a.transposed ? m : k, !a.transposed};
  whole.b = {b.data, b.transposed ? k : n, b.transposed};
  whole.depth = k;
  whole.bias = bias;
  whole.relu = activation == Activation::kRelu;
  whole.c = c;
  whole.c_stride = n;
  const MatmulPlan plan = PlanMatmul(tile, {m, n, k, !a.transposed, b.transposed, /*shards=*/1},
                                     ThreadsFor(m * n * k, kMultiplyAddsPerThread));
  whole.depth_blocks = plan.depth_blocks;
  whole.block_rows = plan.block_rows;
  whole.c_transposed = plan.transposed;
  if (plan.transposed) {
    std::swap(whole.a, whole.b);
    std::swap(m, n);
  }
  RunParts(plan, tile, m, n, 0, whole);
}

void MatmulShardTree(int64_t m, int64_t n, absl::Span<const int64_t> cuts, const float* a,
                     const float* b, float* c) {
  LOCKSTEP_CHECK(cuts.size() >= 2, "a shard tree needs at least one shard");
  if (m == 0 || n == 0) return;
  MatmulTileShape tile;
  HWY_DYNAMIC_DISPATCH(TileShape)(tile);
  const int shards = static_cast<int>(cuts.size()) - 1;
  const ShardFoldCounts folds = ShardFolds(shards);
  MatmulPart whole;
  whole.a = {a, m, false};
  whole.b = {b, n, false};
  whole.depth = cuts.back();
  whole.shards = shards;
  whole.cuts = cuts.data();
  whole.folds = folds.data();
  whole.c = c;
  whole.c_stride = n;
  const MatmulPlan plan = PlanMatmul(tile, {m, n, cuts.back(), false, false, shards},
                                     ThreadsFor(m * n * whole.depth, kMultiplyAddsPerThread));
  whole.block_rows = plan.block_rows;
  RunParts(plan, tile, m, n, ShardStackDepth(shards), whole);
}

}  // namespace lockstep::kernels
#endif  // HWY_ONCE
