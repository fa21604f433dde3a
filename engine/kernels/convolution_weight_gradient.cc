// The gradients of a convolution's weight and bias.
#include "engine/kernels/convolution.h"
#include "engine/kernels/convolution_tiles.h"
#include "engine/kernels/highway_targets.h"
#include "engine/kernels/matmul_part.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/convolution_weight_gradient.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h, which sets what they are compiled for.
#include "engine/kernels/convolution_gradient_tile-inl.h"
#include "engine/kernels/matmul_pack-inl.h"
#include "engine/kernels/vectors-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

void WeightGradientTileShape(MatmulTileShape& shape) {
  shape.rows = kTileRows;
  shape.vector = static_cast<int64_t>(hn::Lanes(FloatTag()));
  shape.columns = kTileVectors * shape.vector;
}

// dy of one example and group as panels of channels.
void PackUpstream(int64_t channels, int64_t positions, const float* dy, float* panels) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(FloatTag()));
  const int64_t tile_columns = kTileVectors * lanes;
  const MatmulSource source{dy, positions, /*depth_contiguous=*/true};
  for (int64_t first = 0; first < channels; first += tile_columns) {
    const int64_t count = HWY_MIN(tile_columns, channels - first);
    PackColumnPanel(source, first, count, positions, lanes, panels + first * positions);
  }
}

// Some rows of positions at a time, so that the panel's part stays in the
// nearer caches while all taps go through it.
void ComputeWeightGradient(const WeightGradientTask& task) {
  constexpr int64_t kBlockFloats = 8192;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(FloatTag()));
  const int64_t tile_columns = kTileVectors * lanes;
  const int64_t tiles = (task.tap_count + kTileRows - 1) / kTileRows;
  WeightGradientTile tile;
  tile.columns = task.columns;
  tile.pitch = task.pitch;
  for (int64_t channel = 0; channel < task.channels; channel += tile_columns) {
    const int64_t vectors =
        HWY_MIN(int64_t{kTileVectors}, (task.channels - channel + lanes - 1) / lanes);
    const int64_t width = vectors * lanes;
    const int64_t blocks =
        HWY_MIN(task.rows, (task.rows * task.columns * width + kBlockFloats - 1) / kBlockFloats);
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t row = EvenCut(task.rows, block, blocks);
      tile.rows = EvenCut(task.rows, block + 1, blocks) - row;
      tile.source = task.source + row * task.pitch;
      tile.upstream =
          task.upstream + channel * task.rows * task.columns + row * task.columns * width;
      tile.first = task.first && block == 0;
      for (int64_t i = 0; i < tiles; ++i) {
        const int64_t tap = EvenCut(task.tap_count, i, tiles);
        tile.taps = task.taps + tap;
        tile.sums = task.sums + channel * task.tap_count + tap * width;
        ComputeTileOf(EvenCut(task.tap_count, i + 1, tiles) - tap, vectors, tile);
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <cstring>

#include "engine/check.h"
#include "engine/kernels/aligned_buffer.h"
#include "engine/kernels/optimizer_update.h"
#include "engine/kernels/padded_planes.h"
#include "engine/kernels/parallel.h"
#include "engine/kernels/reduce.h"
#include "engine/shard_tree.h"

namespace lockstep::kernels {
HWY_EXPORT(WeightGradientTileShape);
HWY_EXPORT(PackUpstream);
HWY_EXPORT(ComputeWeightGradient);
namespace {

// Below so many multiply-adds a second thread costs more than it brings.
constexpr int64_t kMultiplyAddsPerThread = 256 * 1024;

int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

MatmulTileShape Tile() {
  MatmulTileShape tile;
  HWY_DYNAMIC_DISPATCH(WeightGradientTileShape)(tile);
  return tile;
}

// Some in-channels of one group, whose taps one thread computes for a shard.
struct WeightPiece {
  int64_t group = 0;
  int64_t first_channel = 0;  // within the group
  int64_t channels = 0;
  int64_t sums_offset = 0;
};

// Sums that the shards of a pass may take, so that they stay in the last cache.
constexpr int64_t kMostSums = 1 << 20;

struct WeightGradientPlan {
  ConvolutionShape shape;
  absl::Span<const int64_t> cuts;
  PaddedLayout layout;
  bool copied = true;
  PooledVector<int32_t> taps;  // of as many channels as a piece has at most
  int64_t channel_width = 0;   // a group's out-channels, rounded up to vectors
};

// One piece of one shard.
void ComputeShardPiece(const WeightGradientPlan& plan, const WeightPiece& piece, int shard,
                       const float* x, const float* dy, float* sums) {
  static thread_local AlignedBuffer upstream_buffer;
  const ConvolutionShape& s = plan.shape;
  const int64_t group_in = s.GroupInChannels(), group_out = s.GroupOutChannels();
  WeightGradientTask task;
  task.taps = plan.taps.data();
  task.tap_count = piece.channels * s.KernelSize();
  task.rows = s.OutHeight();
  task.columns = s.OutWidth();
  task.pitch = plan.layout.pitch;
  task.channels = group_out;
  task.sums = sums;
  float* planes = plan.copied ? ReservePlanes(plan.layout, piece.channels) : nullptr;
  float* upstream = upstream_buffer.Reserve(plan.channel_width * s.OutPlane());
  task.upstream = upstream;
  for (int64_t n = plan.cuts[shard]; n < plan.cuts[shard + 1]; ++n) {
    task.source =
        x + (n * s.in_channels + piece.group * group_in + piece.first_channel) * s.InPlane();
    if (plan.copied) {
      FillPlanes(plan.layout, piece.channels, task.source, planes);
      task.source = planes;
    }
    HWY_DYNAMIC_DISPATCH(PackUpstream)
    (group_out, s.OutPlane(), dy + (n * s.out_channels + piece.group * group_out) * s.OutPlane(),
     upstream);
    task.first = n == plan.cuts[shard];
    HWY_DYNAMIC_DISPATCH(ComputeWeightGradient)(task);
  }
  if (plan.cuts[shard] == plan.cuts[shard + 1]) {
    std::memset(sums, 0, plan.channel_width * task.tap_count * sizeof(float));
  }
}

// The pieces, and how many of them follow one another in a pass: as large as
// kMostSums allows, but enough for the threads.
PooledVector<WeightPiece> WeightPieces(const ConvolutionShape& s, int shards, int64_t channel_width,
                                       int threads) {
  const int64_t group_in = s.GroupInChannels();
  const int64_t channel_sums = channel_width * s.KernelSize();
  int64_t parts = DivideUp(group_in * channel_sums * shards, kMostSums);
  if (s.groups * parts * shards % threads != 0 && s.groups * parts * shards < 4 * threads) {
    parts *= threads;
  }
  parts = std::clamp<int64_t>(parts, 1, group_in);
  PooledVector<WeightPiece> pieces;
  for (int64_t group = 0; group < s.groups; ++group) {
    for (int64_t part = 0; part < parts; ++part) {
      const int64_t first = EvenCut(group_in, part, parts);
      pieces.push_back({group, first, EvenCut(group_in, part + 1, parts) - first, 0});
    }
  }
  return pieces;
}

// Adds the shards' sums up, the result into the first's.
void FoldShards(const ShardNode& node, int64_t size, float* sums) {
  if (node.size() < 2) return;
  const int middle = ShardTreeMiddle(node);
  FoldShards({node.first, middle}, size, sums);
  FoldShards({middle, node.end}, size, sums);
  AddInPlace(absl::MakeSpan(sums + node.first * size, size),
             absl::MakeConstSpan(sums + middle * size, size));
}

// From [panel of channels][taps][channels] to [channels][taps].
void StoreWeightGradient(const WeightGradientPlan& plan, const WeightPiece& piece,
                         int64_t tile_columns, const float* sums, float* dweight) {
  const ConvolutionShape& s = plan.shape;
  const int64_t taps = piece.channels * s.KernelSize();
  const int64_t row = s.GroupInChannels() * s.KernelSize();
  for (int64_t o = 0; o < s.GroupOutChannels(); ++o) {
    const int64_t first = o / tile_columns * tile_columns;
    const int64_t width = std::min(tile_columns, plan.channel_width - first);
    const float* from = sums + first * taps + o - first;
    float* to = dweight + (piece.group * s.GroupOutChannels() + o) * row +
                piece.first_channel * s.KernelSize();
    for (int64_t tap = 0; tap < taps; ++tap) to[tap] = from[tap * width];
  }
}

// One pass: the pieces' sums of all shards side by side, then the tree.
void RunWeightPass(const WeightGradientPlan& plan, absl::Span<WeightPiece> pieces, int threads,
                   const float* x, const float* dy, float* dweight) {
  static thread_local AlignedBuffer sums_buffer;
  const int shards = static_cast<int>(plan.cuts.size()) - 1;
  int64_t size = 0;
  for (WeightPiece& piece : pieces) {
    piece.sums_offset = size;
    size += piece.channels * plan.shape.KernelSize() * plan.channel_width;
  }
  float* const sums = sums_buffer.Reserve(size * shards);
  const int64_t items = static_cast<int64_t>(pieces.size()) * shards;
  ParallelTasks(items, threads, [&](int64_t item, int) {
    const WeightPiece& piece = pieces[item / shards];
    const int shard = static_cast<int>(item % shards);
    ComputeShardPiece(plan, piece, shard, x, dy, sums + shard * size + piece.sums_offset);
  });
  FoldShards({0, shards}, size, sums);
  for (const WeightPiece& piece : pieces) {
    StoreWeightGradient(plan, piece, Tile().columns, sums + piece.sums_offset, dweight);
  }
}

}  // namespace

void ConvolutionWeightGradient(const ConvolutionShape& shape, absl::Span<const int64_t> cuts,
                               const float* x, const float* dy, float* dweight) {
  LOCKSTEP_CHECK(cuts.size() >= 2, "a shard tree needs at least one shard");
  static thread_local WeightGradientPlan plan;
  const MatmulTileShape tile = Tile();
  const int shards = static_cast<int>(cuts.size()) - 1;
  plan.shape = Simplified(shape);
  const ConvolutionShape& s = plan.shape;
  plan.cuts = cuts;
  plan.layout = InputLayout(s);
  plan.copied = !plan.layout.Plain();
  plan.channel_width = DivideUp(s.GroupOutChannels(), tile.vector) * tile.vector;
  InputTaps(s, plan.layout, plan.taps);
  const size_t kernel = plan.taps.size();
  for (int64_t channel = 1; channel < s.GroupInChannels(); ++channel) {
    for (size_t i = 0; i < kernel; ++i) {
      plan.taps.push_back(static_cast<int32_t>(channel * plan.layout.plane + plan.taps[i]));
    }
  }
  const int threads =
      ThreadsFor(cuts.back() * s.OutPlane() * s.WeightCount(), kMultiplyAddsPerThread);
  PooledVector<WeightPiece> pieces = WeightPieces(s, shards, plan.channel_width, threads);
  // As many pieces in a pass as kMostSums allows, at least one per thread.
  const int64_t piece_sums = pieces.back().channels * s.KernelSize() * plan.channel_width * shards;
  const size_t per_pass = std::max<int64_t>(threads, kMostSums / std::max<int64_t>(1, piece_sums));
  for (size_t i = 0; i < pieces.size(); i += per_pass) {
    const size_t count = std::min(per_pass, pieces.size() - i);
    RunWeightPass(plan, absl::MakeSpan(pieces).subspan(i, count), threads, x, dy, dweight);
  }
}

void ConvolutionBiasGradient(const ConvolutionShape& shape, absl::Span<const int64_t> cuts,
                             const float* dy, float* dbias) {
  static thread_local AlignedBuffer buffer;
  const int64_t planes = cuts.back() * shape.out_channels;
  float* sums = buffer.Reserve(planes);
  SumRows(planes, shape.OutPlane(), dy, sums);
  SumColumnsShardTree(shape.out_channels, cuts, sums, dbias);
}

}  // namespace lockstep::kernels
#endif  // HWY_ONCE
