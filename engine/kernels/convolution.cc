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

// Its rows are positions, its columns channels.
void ChannelTileShape(MatmulTileShape& shape) {
  shape.rows = kChannelTilePositions;
  shape.vector = static_cast<int64_t>(hn::Lanes(FloatTag()));
  shape.columns = kChannelTileVectors * shape.vector;
}

// Stores the runs of a tile that was computed into `tile` [rows][vectors * lanes].
HWY_INLINE void StoreRuns(const VectorPlan& plan, int64_t first_vector, int64_t vectors,
                          int64_t rows, const float* tile, float* out, int64_t out_stride) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(FloatTag()));
  for (int64_t row = 0; row < rows; ++row, out += out_stride) {
    for (int64_t v = first_vector; v < first_vector + vectors; ++v, tile += lanes) {
      for (int32_t i = plan.first_runs[v]; i < plan.first_runs[v + 1]; ++i) {
        const LaneRun& run = plan.runs[i];
        const float* from = tile + run.lane;
        float* to = out + run.destination;
        for (int32_t j = 0; j < run.count; ++j) to[j * plan.destination_step] = from[j];
      }
    }
  }
}

// How the tile of some vectors is stored: as it is, without the lanes that are no
// positions, or from scratch by runs.
enum class TileStore { kWhole, kKept, kRuns };
HWY_INLINE TileStore StoreOf(const VectorPlan& plan, int64_t first_vector, int64_t vectors) {
  if (plan.direct) return TileStore::kWhole;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(FloatTag()));
  // A vector may be stored whole where what lies behind its positions comes later.
  const bool inside = plan.destinations[first_vector + vectors - 1] + lanes <= plan.destination_end;
  return plan.dense && inside && lanes <= 64 ? TileStore::kKept : TileStore::kRuns;
}

// Positions ascend (TileStore::kKept relies on it); the rows share a tile's
// positions.
void ComputeCorrelation(const CorrelationTask& task) {
  const VectorPlan& plan = *task.vectors;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(FloatTag()));
  const int64_t vector_count = static_cast<int64_t>(plan.sources.size());
  HWY_ALIGN float scratch[kTileRows * kTileVectors * HWY_MAX_BYTES / sizeof(float)];
  const int32_t scratch_places[] = {0, static_cast<int32_t>(lanes),
                                    static_cast<int32_t>(2 * lanes)};
  CorrelationTile tile;
  tile.source = task.source;
  tile.taps = task.taps;
  tile.tap_count = task.tap_count;
  tile.relu = task.relu;
  for (int64_t v = 0; v < vector_count; v += kTileVectors) {
    const int64_t vectors = HWY_MIN(int64_t{kTileVectors}, vector_count - v);
    const TileStore store = StoreOf(plan, v, vectors);
    const bool runs = store == TileStore::kRuns;
    tile.sources = plan.sources.data() + v;
    tile.kept_lanes = store == TileStore::kKept ? plan.kept_lanes.data() + v : nullptr;
    tile.destinations = runs ? scratch_places : plan.destinations.data() + v;
    tile.out_stride = runs ? vectors * lanes : task.out_stride;
    for (int64_t panel = task.first_panel; panel < task.end_panel; ++panel) {
      const int64_t row = EvenCut(task.rows, panel, task.panels);
      const int64_t rows = EvenCut(task.rows, panel + 1, task.panels) - row;
      float* out = task.out + row * task.out_stride;
      tile.weights = task.weights + row * task.tap_count;
      tile.bias = task.bias == nullptr ? nullptr : task.bias + row;
      tile.out = runs ? scratch : out;
      ComputeTileOf(rows, vectors, tile);
      if (runs) StoreRuns(plan, v, vectors, rows, scratch, out, task.out_stride);
    }
  }
}

// The same with rows as lanes, of which there are whole vectors: a tile is some
// positions of one row of the grid, computed as [positions][rows] and turned.
void ComputeChannelCorrelation(const CorrelationTask& task) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(FloatTag()));
  const int64_t vector_count = task.rows / lanes;
  const int64_t tiles = (task.grid_columns + kChannelTilePositions - 1) / kChannelTilePositions;
  HWY_ALIGN float
      scratch[kChannelTilePositions * kChannelTileVectors * HWY_MAX_BYTES / sizeof(float)];
  ChannelTile tile;
  tile.taps = task.taps;
  tile.tap_count = task.tap_count;
  tile.relu = task.relu;
  tile.out = scratch;
  for (int64_t panel = task.first_panel; panel < task.end_panel; ++panel) {
    const int64_t vector = EvenCut(vector_count, panel, task.panels);
    const int64_t vectors = EvenCut(vector_count, panel + 1, task.panels) - vector;
    const int64_t row = vector * lanes;
    tile.weights = task.weights + row * task.tap_count;
    tile.bias = task.bias == nullptr ? nullptr : task.bias + row;
    for (int64_t i = 0; i < task.grid_rows * tiles; ++i) {
      const int64_t column = EvenCut(task.grid_columns, i % tiles, tiles);
      const int64_t positions = EvenCut(task.grid_columns, i % tiles + 1, tiles) - column;
      tile.source = task.source + i / tiles * task.grid_pitch + column;
      ComputeTileOf(positions, vectors, tile);
      PackTransposed(scratch, vectors * lanes, positions, vectors * lanes,
                     task.out + row * task.out_stride + i / tiles * task.grid_columns + column,
                     task.out_stride);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "engine/kernels/aligned_buffer.h"
#include "engine/kernels/padded_planes.h"
#include "engine/kernels/parallel.h"

namespace lockstep::kernels {
HWY_EXPORT(ConvolutionTileShape);
HWY_EXPORT(ChannelTileShape);
HWY_EXPORT(ComputeCorrelation);
HWY_EXPORT(ComputeChannelCorrelation);
namespace {

// Below so many multiply-adds a second thread costs more than it brings.
constexpr int64_t kMultiplyAddsPerThread = 256 * 1024;

int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

MatmulTileShape Tile() {
  MatmulTileShape tile;
  HWY_DYNAMIC_DISPATCH(ConvolutionTileShape)(tile);
  return tile;
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
  // The lanes are rows, not positions, of which there is a dense grid.
  bool row_lanes = false;
  int64_t grid_rows = 0;
  int64_t grid_columns = 0;
  int64_t panel_unit = 1;  // rows that panels do not cut: a vector of row lanes
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

// Decides whether lanes are positions, of which the last vectors may go to
// waste, or rows, whose tiles have to be turned. Planned for the first phase's
// `grid` already: its vectors.
void ChooseLanes(const PositionGrid& grid, const MatmulTileShape& tile, Correlation& plan) {
  MatmulTileShape channels;
  HWY_DYNAMIC_DISPATCH(ChannelTileShape)(channels);
  const VectorPlan& vectors = plan.phases[0].vectors;
  const int64_t taps = static_cast<int64_t>(plan.phases[0].taps.size());
  const bool dense = plan.phases.size() == 1 && grid.column_step == 1 &&
                     grid.row_step == grid.columns && grid.first == 0;
  plan.row_lanes = dense && plan.rows % tile.vector == 0 &&
                   RowLanesCost(grid, taps, channels, plan.rows / tile.vector) <
                       PositionLanesCost(vectors, taps);
  plan.panel_unit = plan.row_lanes ? tile.vector : 1;
  plan.panels = DivideUp(plan.rows, plan.row_lanes ? channels.columns : tile.rows);
  plan.grid_rows = grid.rows;
  plan.grid_columns = grid.columns;
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
        const int64_t units = plan.rows / plan.panel_unit;
        const int64_t first = EvenCut(units, panel, plan.panels) * plan.panel_unit;
        const int64_t end = EvenCut(units, panel + 1, plan.panels) * plan.panel_unit;
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

void Correlate(const Correlation& plan, const float* panels, const float* source, const float* bias,
               bool relu, float* out) {
  const int threads = ThreadsFor(plan.multiply_adds, kMultiplyAddsPerThread);
  const int64_t whole_items = plan.examples * plan.groups;
  const int64_t chunks =
      std::clamp<int64_t>(DivideUp(threads, std::max<int64_t>(1, whole_items)), 1, plan.panels);
  const auto run = [&](int64_t begin, int64_t end) {
    float* planes = plan.copied ? ReservePlanes(plan.layout, plan.channels) : nullptr;
    for (int64_t item = begin; item < end; ++item) {
      const int64_t chunk = item % chunks, group = item / chunks % plan.groups;
      const int64_t example = item / chunks / plan.groups;
      const int64_t first_channel = (example * plan.groups + group) * plan.channels;
      const int64_t first_row = (example * plan.groups + group) * plan.rows;
      CorrelationTask task;
      task.source = source + first_channel * plan.layout.height * plan.layout.width;
      if (plan.copied) {
        FillPlanes(plan.layout, plan.channels, task.source, planes);
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
        if (plan.row_lanes) {
          task.grid_rows = plan.grid_rows;
          task.grid_columns = plan.grid_columns;
          task.grid_pitch = plan.layout.pitch;
          HWY_DYNAMIC_DISPATCH(ComputeChannelCorrelation)(task);
        } else {
          HWY_DYNAMIC_DISPATCH(ComputeCorrelation)(task);
        }
      }
    }
  };
  RunsOnThreads(whole_items * chunks, threads, /*multiple=*/1, run);
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
  ChooseLanes(grid, tile, plan);
  plan.copied = !plan.layout.Plain() || !(vectors.direct || plan.row_lanes);
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
    if (i == 0) ChooseLanes(gradient_phase.grid, tile, plan);
    plan.copied = plan.copied || !(phase.vectors.direct || plan.row_lanes);
  }
  const float* panels = PackWeights(weight, plan);
  Correlate(plan, panels, dy, nullptr, false, dx);
}

}  // namespace lockstep::kernels
#endif  // HWY_ONCE
