#include "engine/kernels/convolution.h"

#include "engine/kernels/convolution_tiles.h"
#include "engine/kernels/highway_targets.h"
#include "engine/kernels/matmul_part.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/convolution.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h, which sets what they are compiled for.
#include "engine/kernels/convolution_tile-inl.h"
#include "engine/kernels/matmul_pack-inl.h"
#include "engine/kernels/vectors-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

void ConvolutionTileShape(MatmulTileShape& shape) {
  shape.rows = kTileRows;
  shape.vector = static_cast<int64_t>(hn::Lanes(FloatTag()));
  shape.columns = kTileVectors * shape.vector;
}

HWY_INLINE void CopyRow(int64_t count, const float* from, float* to) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  if (count < lanes) {
    for (int64_t i = 0; i < count; ++i) to[i] = from[i];
    return;
  }
  for (int64_t i = 0; i + lanes <= count; i += lanes) hn::StoreU(hn::LoadU(d, from + i), d, to + i);
  hn::StoreU(hn::LoadU(d, from + count - lanes), d, to + count - lanes);
}

// Copies channels into their padded planes, whose zeros are there already.
void FillPlanes(const PaddedLayout& layout, int64_t channels, const float* x, float* planes) {
  for (int64_t channel = 0; channel < channels; ++channel, planes += layout.plane) {
    for (int64_t row = 0; row < layout.height; ++row, x += layout.width) {
      float* to = planes + layout.At(layout.top + row, 0);
      if (layout.column_step == 1) {
        CopyRow(layout.width, x, to + layout.left);
        continue;
      }
      for (int64_t c = 0; c < layout.width; ++c) {
        const int64_t column = layout.left + c;
        to[column % layout.column_step * layout.phase + column / layout.column_step] = x[c];
      }
    }
  }
}

// Stores the runs of a tile that was computed into `tile` [rows][vectors * lanes].
// A vector may be stored whole where what lies behind its run comes later.
HWY_INLINE void StoreRuns(const VectorPlan& plan, int64_t first_vector, int64_t vectors,
                          int64_t rows, const float* tile, float* out, int64_t out_stride) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t row = 0; row < rows; ++row, out += out_stride) {
    for (int64_t v = first_vector; v < first_vector + vectors; ++v, tile += lanes) {
      for (int32_t i = plan.first_runs[v]; i < plan.first_runs[v + 1]; ++i) {
        const LaneRun& run = plan.runs[i];
        const float* from = tile + run.lane;
        float* to = out + run.destination;
        if (plan.dense && run.destination + lanes <= plan.destination_end) {
          hn::StoreU(hn::LoadU(d, from), d, to);
          continue;
        }
        for (int32_t j = 0; j < run.count; ++j) to[j * plan.destination_step] = from[j];
      }
    }
  }
}

// Positions ascend (StoreRuns relies on it); the rows share a tile's positions.
void ComputeCorrelation(const CorrelationTask& task) {
  const VectorPlan& plan = *task.vectors;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(FloatTag()));
  const int64_t vector_count = static_cast<int64_t>(plan.sources.size());
  // One vector more, which StoreRuns may read.
  HWY_ALIGN float scratch[(kTileRows * kTileVectors + 1) * HWY_MAX_BYTES / sizeof(float)];
  const int32_t scratch_places[] = {0, static_cast<int32_t>(lanes),
                                    static_cast<int32_t>(2 * lanes)};
  hn::Store(hn::Zero(FloatTag()), FloatTag(), scratch + kTileRows * kTileVectors * lanes);
  CorrelationTile tile;
  tile.source = task.source;
  tile.taps = task.taps;
  tile.tap_count = task.tap_count;
  tile.relu = task.relu;
  for (int64_t v = 0; v < vector_count; v += kTileVectors) {
    const int64_t vectors = HWY_MIN(int64_t{kTileVectors}, vector_count - v);
    tile.sources = plan.sources.data() + v;
    for (int64_t panel = task.first_panel; panel < task.end_panel; ++panel) {
      const int64_t row = EvenCut(task.rows, panel, task.panels);
      const int64_t rows = EvenCut(task.rows, panel + 1, task.panels) - row;
      float* out = task.out + row * task.out_stride;
      tile.weights = task.weights + row * task.tap_count;
      tile.bias = task.bias == nullptr ? nullptr : task.bias + row;
      tile.out = plan.direct ? out : scratch;
      tile.out_stride = plan.direct ? task.out_stride : vectors * lanes;
      tile.destinations = plan.direct ? plan.destinations.data() + v : scratch_places;
      ComputeTileOf(rows, vectors, tile);
      if (!plan.direct) StoreRuns(plan, v, vectors, rows, scratch, out, task.out_stride);
    }
  }
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

// Some rows of positions at a time, so that the panel's part stays in the first
// cache while all taps go through it.
void ComputeWeightGradient(const WeightGradientTask& task) {
  constexpr int64_t kBlockFloats = 4096;
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
#include "engine/kernels/parallel.h"
#include "engine/kernels/reduce.h"
#include "engine/kernels/reference/convolution.h"
#include "engine/shard_tree.h"

namespace lockstep::kernels {
HWY_EXPORT(ConvolutionTileShape);
HWY_EXPORT(FillPlanes);
HWY_EXPORT(ComputeCorrelation);
HWY_EXPORT(PackUpstream);
HWY_EXPORT(ComputeWeightGradient);
namespace {

// Below so many multiply-adds a second thread costs more than it brings.
constexpr int64_t kMultiplyAddsPerThread = 256 * 1024;

int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

MatmulTileShape Tile() {
  MatmulTileShape tile;
  HWY_DYNAMIC_DISPATCH(ConvolutionTileShape)(tile);
  return tile;
}

// A kernel of one element that skips and pads nothing sees each position alone:
// the plane is then one row.
ConvolutionShape Simplified(ConvolutionShape shape) {
  const bool pointwise = shape.KernelSize() == 1 && shape.stride_height == 1 &&
                         shape.stride_width == 1 && shape.padding_height == 0 &&
                         shape.padding_width == 0;
  if (pointwise) {
    shape.in_width = shape.InPlane();
    shape.in_height = 1;
  }
  return shape;
}

// The outputs of one phase: all of them but for an input gradient with strides.
struct CorrelationPhase {
  VectorPlan vectors;
  PooledVector<int32_t> taps;            // of all of a group's channels
  PooledVector<int32_t> weight_offsets;  // per tap, from a row's first weight
  int64_t panels_offset = 0;             // of its weights, group after group
};

// y = w * x in the terms of the tiles, for forward and input gradient alike.
struct Correlation {
  PaddedLayout layout;
  bool copied = true;  // else the planes are used as they lie in memory
  int64_t examples = 0;
  int64_t groups = 1;
  int64_t channels = 0;  // of a group: the planes' and
  int64_t rows = 0;      // the outputs'
  int64_t panels = 0;
  int64_t weight_row = 0;    // floats from one row's weights to the next's
  int64_t weight_group = 0;  // and from group to group
  int64_t out_plane = 0;
  int64_t multiply_adds = 0;
  PooledVector<CorrelationPhase> phases;
};

// `taps` within a channel, whose weights lie at `kernel_taps` from the
// channel's first, which are `channel_step` apart.
void ExpandTaps(const Correlation& plan, const PooledVector<int32_t>& taps,
                const PooledVector<int32_t>& kernel_taps, int64_t channel_step,
                CorrelationPhase& phase) {
  phase.taps.clear();
  phase.weight_offsets.clear();
  for (int64_t channel = 0; channel < plan.channels; ++channel) {
    for (size_t i = 0; i < taps.size(); ++i) {
      phase.taps.push_back(static_cast<int32_t>(channel * plan.layout.plane + taps[i]));
      phase.weight_offsets.push_back(static_cast<int32_t>(channel * channel_step + kernel_taps[i]));
    }
  }
}

// Packs the weights of every phase and group into panels.
const float* PackWeights(const float* weight, Correlation& plan) {
  static thread_local AlignedBuffer buffer;
  int64_t total = 0;
  for (CorrelationPhase& phase : plan.phases) {
    phase.panels_offset = total;
    total += plan.groups * plan.rows * static_cast<int64_t>(phase.taps.size());
  }
  float* const panels = buffer.Reserve(total);
  float* out = panels;
  for (const CorrelationPhase& phase : plan.phases) {
    for (int64_t group = 0; group < plan.groups; ++group) {
      for (int64_t panel = 0; panel < plan.panels; ++panel) {
        const int64_t first = EvenCut(plan.rows, panel, plan.panels);
        const int64_t end = EvenCut(plan.rows, panel + 1, plan.panels);
        const float* from = weight + group * plan.weight_group;
        for (const int32_t offset : phase.weight_offsets) {
          for (int64_t row = first; row < end; ++row) {
            *out++ = from[row * plan.weight_row + offset];
          }
        }
      }
    }
  }
  return panels;
}

// Zeroed scratch for padded planes; FillPlanes leaves the zeros as they are.
// The vector behind the planes may be read.
float* ReservePlanes(const PaddedLayout& layout, int64_t channels, int64_t lanes) {
  static thread_local AlignedBuffer buffer;
  const int64_t size = channels * layout.plane + lanes;
  float* planes = buffer.Reserve(size);
  std::memset(planes, 0, size * sizeof(float));
  return planes;
}

void Correlate(const Correlation& plan, const float* panels, const float* source, const float* bias,
               bool relu, float* out) {
  const int threads = ThreadsFor(plan.multiply_adds, kMultiplyAddsPerThread);
  const int64_t whole_items = plan.examples * plan.groups;
  const int64_t chunks =
      std::clamp<int64_t>(DivideUp(threads, std::max<int64_t>(1, whole_items)), 1, plan.panels);
  const int64_t lanes = Tile().vector;
  const auto run = [&](int64_t begin, int64_t end) {
    float* planes = plan.copied ? ReservePlanes(plan.layout, plan.channels, lanes) : nullptr;
    for (int64_t item = begin; item < end; ++item) {
      const int64_t chunk = item % chunks, group = item / chunks % plan.groups;
      const int64_t example = item / chunks / plan.groups;
      const int64_t first_channel = (example * plan.groups + group) * plan.channels;
      const int64_t first_row = (example * plan.groups + group) * plan.rows;
      CorrelationTask task;
      task.source = source + first_channel * plan.layout.height * plan.layout.width;
      if (plan.copied) {
        HWY_DYNAMIC_DISPATCH(FillPlanes)(plan.layout, plan.channels, task.source, planes);
        task.source = planes;
      }
      task.rows = plan.rows;
      task.panels = plan.panels;
      task.first_panel = EvenCut(plan.panels, chunk, chunks);
      task.end_panel = EvenCut(plan.panels, chunk + 1, chunks);
      task.bias = bias == nullptr ? nullptr : bias + group * plan.rows;
      task.relu = relu;
      task.out = out + first_row * plan.out_plane;
      task.out_stride = plan.out_plane;
      for (const CorrelationPhase& phase : plan.phases) {
        task.tap_count = static_cast<int64_t>(phase.taps.size());
        task.taps = phase.taps.data();
        task.vectors = &phase.vectors;
        task.weights = panels + phase.panels_offset + group * plan.rows * task.tap_count;
        HWY_DYNAMIC_DISPATCH(ComputeCorrelation)(task);
      }
    }
  };
  RunsOnThreads(whole_items * chunks, threads, /*multiple=*/1, run);
}

// ---- The weight gradient.

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
  int64_t lanes = 0;
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
  float* planes = plan.copied ? ReservePlanes(plan.layout, piece.channels, plan.lanes) : nullptr;
  float* upstream = upstream_buffer.Reserve(plan.channel_width * s.OutPlane());
  task.upstream = upstream;
  for (int64_t n = plan.cuts[shard]; n < plan.cuts[shard + 1]; ++n) {
    task.source =
        x + (n * s.in_channels + piece.group * group_in + piece.first_channel) * s.InPlane();
    if (plan.copied) {
      HWY_DYNAMIC_DISPATCH(FillPlanes)(plan.layout, piece.channels, task.source, planes);
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

void Convolution(const ConvolutionShape& shape, const float* x, const float* weight,
                 const float* bias, Activation activation, float* y) {
  if (shape.examples == 0) return;
  static thread_local Correlation plan;
  static thread_local PooledVector<int32_t> taps, kernel_taps;
  const ConvolutionShape s = Simplified(shape);
  const MatmulTileShape tile = Tile();
  plan.layout = InputLayout(s);
  plan.examples = s.examples;
  plan.groups = s.groups;
  plan.channels = s.GroupInChannels();
  plan.rows = s.GroupOutChannels();
  plan.panels = DivideUp(plan.rows, tile.rows);
  plan.weight_row = plan.channels * s.KernelSize();
  plan.weight_group = plan.rows * plan.weight_row;
  plan.out_plane = s.OutPlane();
  plan.multiply_adds = s.examples * s.out_channels * s.OutPlane() * plan.weight_row;
  plan.phases.resize(1);
  InputTaps(s, plan.layout, taps);
  kernel_taps.resize(taps.size());
  for (size_t i = 0; i < taps.size(); ++i) kernel_taps[i] = static_cast<int32_t>(i);
  ExpandTaps(plan, taps, kernel_taps, s.KernelSize(), plan.phases[0]);
  PositionGrid grid;
  grid.rows = s.OutHeight();
  grid.columns = s.OutWidth();
  grid.pitch = plan.layout.pitch;
  grid.row_step = s.OutWidth();
  grid.destination_end = s.OutPlane();
  VectorPlan& vectors = plan.phases[0].vectors;
  PlanVectors(grid, plan.weight_row, !plan.layout.Plain(), tile.vector, vectors);
  plan.copied = !plan.layout.Plain() || !vectors.direct;
  const float* panels = PackWeights(weight, plan);
  Correlate(plan, panels, x, bias, activation == Activation::kRelu, y);
}

void ConvolutionInputGradient(const ConvolutionShape& shape, const float* dy, const float* weight,
                              float* dx) {
  if (shape.examples == 0) return;
  static thread_local Correlation plan;
  static thread_local GradientPhase gradient_phase;
  const ConvolutionShape s = Simplified(shape);
  const MatmulTileShape tile = Tile();
  plan.layout = GradientLayout(s);
  plan.examples = s.examples;
  plan.groups = s.groups;
  plan.channels = s.GroupOutChannels();
  plan.rows = s.GroupInChannels();
  plan.panels = DivideUp(plan.rows, tile.rows);
  plan.weight_row = s.KernelSize();
  plan.weight_group = s.GroupOutChannels() * s.GroupInChannels() * s.KernelSize();
  plan.out_plane = s.InPlane();
  plan.multiply_adds = s.examples * s.OutPlane() * s.WeightCount();
  plan.phases.resize(s.stride_height * s.stride_width);
  plan.copied = !plan.layout.Plain();
  for (int64_t i = 0; i < s.stride_height * s.stride_width; ++i) {
    CorrelationPhase& phase = plan.phases[i];
    PlanGradientPhase(s, plan.layout, i / s.stride_width, i % s.stride_width, gradient_phase);
    ExpandTaps(plan, gradient_phase.taps, gradient_phase.kernel_taps,
               s.GroupInChannels() * s.KernelSize(), phase);
    PlanVectors(gradient_phase.grid, static_cast<int64_t>(phase.taps.size()), !plan.layout.Plain(),
                tile.vector, phase.vectors);
    plan.copied = plan.copied || !phase.vectors.direct;
  }
  const float* panels = PackWeights(weight, plan);
  Correlate(plan, panels, dy, nullptr, false, dx);
}

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
  plan.lanes = tile.vector;
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

void Convolution(const ConvolutionShape& shape, const double* x, const double* weight,
                 const double* bias, Activation activation, double* y) {
  reference::Convolution(shape, x, weight, bias, activation, y);
}

void ConvolutionInputGradient(const ConvolutionShape& shape, const double* dy, const double* weight,
                              double* dx) {
  reference::ConvolutionInputGradient(shape, dy, weight, dx);
}

void ConvolutionWeightGradient(const ConvolutionShape& shape, absl::Span<const int64_t> cuts,
                               const double* x, const double* dy, double* dweight) {
  reference::ConvolutionWeightGradient(shape, cuts, x, dy, dweight);
}

void ConvolutionBiasGradient(const ConvolutionShape& shape, absl::Span<const int64_t> cuts,
                             const double* dy, double* dbias) {
  reference::ConvolutionBiasGradient(shape, cuts, dy, dbias);
}

}  // namespace lockstep::kernels
#endif  // HWY_ONCE
