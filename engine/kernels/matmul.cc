#include "engine/kernels/matmul.h"

#include "engine/kernels/highway_targets.h"
#include "engine/kernels/matmul_block.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/matmul.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h, which sets what they are compiled for.
#include "engine/kernels/matmul_pack-inl.h"
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

// Packs the panels of `range`.
void PackPanels(const MatmulBlock& block, const MatmulTileRange& range) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(FloatTag()));
  for (int64_t p = range.first_row_panel; p < range.end_row_panel; ++p) {
    PackRowPanel(block, kTileRows, p);
  }
  for (int64_t p = range.first_column_panel; p < range.end_column_panel; ++p) {
    PackColumnPanel(block, kTileVectors * lanes, lanes, p);
  }
}

// One register tile through all shards: leaves and their folds in registers,
// partial sums on `stack`, C written once.
HWY_INLINE void ComputeShards(const MatmulBlock& block, int64_t row, int64_t column, float* stack) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(FloatTag()));
  const int64_t rows = HWY_MIN(kTileRows, block.rows - row);
  const int64_t columns = HWY_MIN(kTileVectors * lanes, block.columns - column);
  const int64_t vectors = (columns + lanes - 1) / lanes;
  const int64_t width = vectors * lanes;
  const float* a = block.a_panels + row * block.depth;
  const float* b = block.b_panels + column * block.depth;
  float* c = block.c + row * block.c_stride + column;
  float* top = stack;
  for (int shard = 0; shard < block.shards; ++shard, top += rows * width) {
    const bool last = shard + 1 == block.shards;
    TileTask task;
    task.a = a + block.cuts[shard] * kTileRows;
    task.b = b + block.cuts[shard] * width;
    task.depth = block.cuts[shard + 1] - block.cuts[shard];
    task.start = block.continues ? c : nullptr;
    task.stack_top = top;
    task.folds = block.folds[shard];
    if (last && block.bias != nullptr) task.bias = block.bias + column;
    task.relu = last && block.relu;
    top -= task.folds * rows * width;
    task.out = last ? c : top;
    task.out_stride = last ? block.c_stride : width;
    task.last_lanes = last ? columns - (vectors - 1) * lanes : lanes;
    ComputeTileOf(rows, vectors, task);
  }
}

// The order keeps a group of A's panels in the second cache and one of B's in
// the first.
void ComputeTiles(const MatmulBlock& block, const MatmulTileRange& range, float* stack) {
  constexpr int64_t kGroupFloats = 96 * 1024;  // 384 KiB
  const int64_t tile_columns = kTileVectors * static_cast<int64_t>(hn::Lanes(FloatTag()));
  const int64_t group = HWY_MAX(int64_t{1}, kGroupFloats / (kTileRows * (block.depth + 1)));
  for (int64_t g = range.first_row_panel; g < range.end_row_panel; g += group) {
    const int64_t group_end = HWY_MIN(g + group, range.end_row_panel);
    for (int64_t j = range.first_column_panel; j < range.end_column_panel; ++j) {
      for (int64_t i = g; i < group_end; ++i) {
        ComputeShards(block, i * kTileRows, j * tile_columns, stack);
      }
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
#include "engine/kernels/parallel.h"
#include "engine/kernels/shard_folds.h"

namespace lockstep::kernels {
HWY_EXPORT(TileShape);
HWY_EXPORT(PackPanels);
HWY_EXPORT(ComputeTiles);
namespace {

// Rows and columns of C that are worked on at a time, and the run of k packed
// with them: a panel of B (256 x 48 floats) is about the first cache's size,
// both sets of panels (3 MiB each) stay in the third.
constexpr int64_t kBlockExtent = 3072;  // a multiple of 6, 8, 16 and 48
constexpr int64_t kBlockDepth = 256;
// Below so many multiply-adds a second thread costs more than it brings.
constexpr int64_t kMultiplyAddsPerThread = 256 * 1024;

int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

// How a team shares the tiles: a grid of row_teams x column_teams threads.
struct ThreadGrid {
  int row_teams = 1;
  int column_teams = 1;
};

// The grid whose busiest thread has the fewest tiles; among equals the one that
// cuts the rows more, since threads then share B's panels.
ThreadGrid ChooseGrid(int threads, int64_t row_panels, int64_t column_panels) {
  ThreadGrid best;
  int64_t best_tiles = row_panels * column_panels + 1;
  for (int row_teams = threads; row_teams >= 1; --row_teams) {
    const ThreadGrid grid{row_teams, threads / row_teams};
    const int64_t tiles =
        DivideUp(row_panels, grid.row_teams) * DivideUp(column_panels, grid.column_teams);
    if (tiles < best_tiles) {
      best = grid;
      best_tiles = tiles;
    }
  }
  return best;
}

// Part `part` of `parts` of [0, items), as even as can be.
void Share(int64_t items, int part, int parts, int64_t& begin, int64_t& end) {
  begin = items * part / parts;
  end = items * (part + 1) / parts;
}

// What one thread of the team does for a block: when nobody needs the panels of
// the block before, its share of the packing; when all is packed, its rectangle
// of tiles.
void RunBlock(const MatmulBlock& block, const MatmulTileShape& tile, int thread, int threads) {
  const int64_t row_panels = DivideUp(block.rows, tile.rows);
  const int64_t column_panels = DivideUp(block.columns, tile.columns);
  if (threads > 1 && !block.first) {
#pragma omp barrier
  }
  MatmulTileRange packing;
  Share(row_panels, thread, threads, packing.first_row_panel, packing.end_row_panel);
  Share(column_panels, thread, threads, packing.first_column_panel, packing.end_column_panel);
  HWY_DYNAMIC_DISPATCH(PackPanels)(block, packing);
  if (threads > 1) {
#pragma omp barrier
  }
  const ThreadGrid grid = ChooseGrid(threads, row_panels, column_panels);
  if (thread < grid.row_teams * grid.column_teams) {
    static thread_local AlignedBuffer stack;
    MatmulTileRange tiles;
    Share(row_panels, thread / grid.column_teams, grid.row_teams, tiles.first_row_panel,
          tiles.end_row_panel);
    Share(column_panels, thread % grid.column_teams, grid.column_teams, tiles.first_column_panel,
          tiles.end_column_panel);
    HWY_DYNAMIC_DISPATCH(ComputeTiles)
    (block, tiles, stack.Reserve(block.stack_depth * tile.rows * tile.columns));
  }
}

// Starts the team and lets every thread of it call run(thread, threads). The
// barriers in RunBlock meet this team: it is never one inside another.
template <class F>
void RunTeam(int64_t multiply_adds, const F& run) {
  const int threads = ThreadsFor(multiply_adds, kMultiplyAddsPerThread);
  if (threads <= 1) return run(0, 1);
#pragma omp parallel num_threads(threads)
  run(omp_get_thread_num(), omp_get_num_threads());
}

MatmulSource Source(const float* data, bool depth_contiguous, int64_t stride, int64_t first,
                    int64_t first_depth) {
  MatmulSource source;
  source.data =
      depth_contiguous ? data + first * stride + first_depth : data + first_depth * stride + first;
  source.stride = stride;
  source.depth_contiguous = depth_contiguous;
  return source;
}

// Calls run(row, rows, column, columns) for the blocks of C.
template <class F>
void ForEachBlock(int64_t m, int64_t n, int64_t extent, const F& run) {
  for (int64_t row = 0; row < m; row += extent) {
    for (int64_t column = 0; column < n; column += extent) {
      run(row, std::min(extent, m - row), column, std::min(extent, n - column));
    }
  }
}

// Panels are reserved by the calling thread for its team.
void ReservePanels(const MatmulTileShape& tile, int64_t rows, int64_t columns, int64_t depth,
                   MatmulBlock& block) {
  static thread_local AlignedBuffer a_buffer;
  static thread_local AlignedBuffer b_buffer;
  block.a_panels = a_buffer.Reserve(DivideUp(rows, tile.rows) * tile.rows * depth);
  block.b_panels = b_buffer.Reserve(DivideUp(columns, tile.vector) * tile.vector * depth);
}

}  // namespace

void Matmul(int64_t m, int64_t n, int64_t k, MatmulOperand a, MatmulOperand b, const float* bias,
            Activation activation, float* c) {
  if (m == 0 || n == 0) return;
  MatmulTileShape tile;
  HWY_DYNAMIC_DISPATCH(TileShape)(tile);
  const int64_t depth_blocks = std::max<int64_t>(1, DivideUp(k, kBlockDepth));
  MatmulBlock whole;
  ReservePanels(tile, std::min(m, kBlockExtent), std::min(n, kBlockExtent),
                std::max<int64_t>(1, DivideUp(k, depth_blocks)), whole);
  RunTeam(m * n * k, [&](int thread, int threads) {
    ForEachBlock(
        m, n, kBlockExtent, [&](int64_t row, int64_t rows, int64_t column, int64_t columns) {
          for (int64_t i = 0; i < depth_blocks; ++i) {
            const int64_t begin = k * i / depth_blocks;
            const int64_t cuts[] = {0, k * (i + 1) / depth_blocks - begin};
            const int folds[] = {0};
            MatmulBlock block = whole;
            block.a_source = Source(a.data, !a.transposed, a.transposed ? m : k, row, begin);
            block.b_source = Source(b.data, b.transposed, b.transposed ? k : n, column, begin);
            block.rows = rows;
            block.columns = columns;
            block.depth = cuts[1];
            block.cuts = cuts;
            block.folds = folds;
            block.first = row == 0 && column == 0 && i == 0;
            block.continues = i > 0;
            const bool last = i + 1 == depth_blocks;
            block.bias = last && bias != nullptr ? bias + column : nullptr;
            block.relu = last && activation == Activation::kRelu;
            block.c = c + row * n + column;
            block.c_stride = n;
            RunBlock(block, tile, thread, threads);
          }
        });
  });
}

void MatmulShardTree(int64_t m, int64_t n, absl::Span<const int64_t> cuts, const float* a,
                     const float* b, float* c) {
  LOCKSTEP_CHECK(cuts.size() >= 2, "a shard tree needs at least one shard");
  if (m == 0 || n == 0) return;
  MatmulTileShape tile;
  HWY_DYNAMIC_DISPATCH(TileShape)(tile);
  const int shards = static_cast<int>(cuts.size()) - 1;
  const ShardFoldCounts folds = ShardFolds(shards);
  MatmulBlock whole;
  whole.depth = cuts.back();
  whole.shards = shards;
  whole.cuts = cuts.data();
  whole.folds = folds.data();
  whole.stack_depth = ShardStackDepth(shards);
  whole.c_stride = n;
  // All of k is packed, so that a tile passes through every shard at once: with
  // many examples the blocks of C become smaller instead.
  const int64_t depth = std::max<int64_t>(1, whole.depth);
  const int64_t extent =
      std::clamp<int64_t>(kBlockExtent * kBlockDepth / depth / 48 * 48, 48, kBlockExtent);
  ReservePanels(tile, std::min(m, extent), std::min(n, extent), depth, whole);
  RunTeam(m * n * whole.depth, [&](int thread, int threads) {
    ForEachBlock(m, n, extent, [&](int64_t row, int64_t rows, int64_t column, int64_t columns) {
      MatmulBlock block = whole;
      block.a_source = Source(a, false, m, row, 0);
      block.b_source = Source(b, false, n, column, 0);
      block.rows = rows;
      block.columns = columns;
      block.first = row == 0 && column == 0;
      block.c = c + row * n + column;
      RunBlock(block, tile, thread, threads);
    });
  });
}

}  // namespace lockstep::kernels
#endif  // HWY_ONCE
