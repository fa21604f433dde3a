#include "engine/kernels/convolution_plan.h"

#include <algorithm>

namespace lockstep::kernels {
namespace {

int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

// What storing costs in units of one multiply-add per lane: a vector as it is,
// one without some lanes, and one in runs.
constexpr int64_t kDirectStoreCost = 2;
constexpr int64_t kKeptStoreCost = 3;
constexpr int64_t kRunStoreCost = 8;

// The same for a vector of channels, which has to be turned.
constexpr int64_t kTurnedStoreCost = 6;

// `columns`: positions in a row, which do not run over into the next.
void SetExtents(int64_t bottom, int64_t right, int64_t columns, PaddedLayout& layout) {
  const int64_t rows = layout.top + layout.height + bottom;
  if (layout.row_step * layout.column_step == 1) {
    layout.pitch = std::max(layout.width + std::max(layout.left, right), columns);
    layout.phase = rows * layout.pitch + std::min(layout.left, right);
  } else {
    layout.pitch = DivideUp(layout.left + layout.width + right, layout.column_step);
    layout.phase = DivideUp(rows, layout.row_step) * layout.pitch;
  }
  layout.plane = layout.row_step * layout.column_step * layout.phase;
}

// How far the last output's last tap reaches beyond the input and its padding
// on the near side.
int64_t Overhang(int64_t out, int64_t stride, int64_t kernel, int64_t dilation, int64_t in,
                 int64_t padding) {
  return std::max<int64_t>(0, (out - 1) * stride + (kernel - 1) * dilation + 1 - in - padding);
}

void PlanRows(const PositionGrid& grid, int64_t lanes, VectorPlan& plan) {
  plan.direct = true;
  for (int64_t i = 0; i < grid.rows; ++i) {
    for (int64_t j = 0; j < grid.columns; j += lanes) {
      const int64_t column = std::min(j, grid.columns - lanes);
      plan.sources.push_back(static_cast<int32_t>(i * grid.pitch + column));
      plan.destinations.push_back(static_cast<int32_t>(grid.first + i * grid.row_step + column));
    }
  }
}

void PlanRuns(const PositionGrid& grid, int64_t lanes, VectorPlan& plan) {
  plan.direct = false;
  const int64_t positions = (grid.rows - 1) * grid.pitch + grid.columns;
  for (int64_t first = 0; first < positions; first += lanes) {
    plan.sources.push_back(static_cast<int32_t>(first));
    plan.first_runs.push_back(static_cast<int32_t>(plan.runs.size()));
    const int64_t end = std::min(first + lanes, positions);
    uint64_t kept = 0;
    int32_t first_kept = 0;
    for (int64_t i = first / grid.pitch; i * grid.pitch < end; ++i) {
      const int64_t begin = std::max(first, i * grid.pitch);
      const int64_t run_end = std::min(end, i * grid.pitch + grid.columns);
      if (begin >= run_end) continue;
      LaneRun run;
      run.lane = static_cast<int32_t>(begin - first);
      run.count = static_cast<int32_t>(run_end - begin);
      run.destination = static_cast<int32_t>(grid.first + i * grid.row_step +
                                             (begin - i * grid.pitch) * grid.column_step);
      if (kept == 0) first_kept = run.destination;
      kept |= ((uint64_t{1} << run.count) - 1) << run.lane;
      plan.runs.push_back(run);
    }
    plan.kept_lanes.push_back(kept);
    plan.destinations.push_back(first_kept);
  }
  plan.first_runs.push_back(static_cast<int32_t>(plan.runs.size()));
}

}  // namespace

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

PaddedLayout InputLayout(const ConvolutionShape& shape) {
  PaddedLayout layout;
  layout.height = shape.in_height;
  layout.width = shape.in_width;
  layout.top = shape.padding_height;
  layout.left = shape.padding_width;
  layout.row_step = shape.stride_height;
  layout.column_step = shape.stride_width;
  SetExtents(Overhang(shape.OutHeight(), shape.stride_height, shape.kernel_height,
                      shape.dilation_height, shape.in_height, shape.padding_height),
             Overhang(shape.OutWidth(), shape.stride_width, shape.kernel_width,
                      shape.dilation_width, shape.in_width, shape.padding_width),
             shape.OutWidth(), layout);
  return layout;
}

PaddedLayout GradientLayout(const ConvolutionShape& shape) {
  const auto before = [](int64_t kernel, int64_t dilation, int64_t padding, int64_t stride) {
    return std::max<int64_t>(0, DivideUp((kernel - 1) * dilation - padding, stride));
  };
  const auto after = [](int64_t in, int64_t padding, int64_t stride, int64_t out) {
    return std::max<int64_t>(0, (in - 1 + padding) / stride - (out - 1));
  };
  PaddedLayout layout;
  layout.height = shape.OutHeight();
  layout.width = shape.OutWidth();
  layout.top =
      before(shape.kernel_height, shape.dilation_height, shape.padding_height, shape.stride_height);
  layout.left =
      before(shape.kernel_width, shape.dilation_width, shape.padding_width, shape.stride_width);
  SetExtents(after(shape.in_height, shape.padding_height, shape.stride_height, shape.OutHeight()),
             after(shape.in_width, shape.padding_width, shape.stride_width, shape.OutWidth()),
             DivideUp(shape.in_width, shape.stride_width), layout);
  return layout;
}

void InputTaps(const ConvolutionShape& shape, const PaddedLayout& layout,
               PooledVector<int32_t>& taps) {
  taps.clear();
  for (int64_t r = 0; r < shape.kernel_height; ++r) {
    for (int64_t c = 0; c < shape.kernel_width; ++c) {
      taps.push_back(
          static_cast<int32_t>(layout.At(r * shape.dilation_height, c * shape.dilation_width)));
    }
  }
}

void PlanVectors(const PositionGrid& grid, int64_t taps, bool padded, int64_t lanes,
                 VectorPlan& plan) {
  plan.sources.clear();
  plan.destinations.clear();
  plan.first_runs.clear();
  plan.runs.clear();
  plan.kept_lanes.clear();
  plan.destination_step = grid.column_step;
  plan.dense = grid.column_step == 1 && grid.row_step == grid.columns;
  plan.destination_end = grid.destination_end;
  if (grid.rows == 0 || grid.columns == 0) return;
  const int64_t in_rows = grid.rows * DivideUp(grid.columns, lanes);
  const int64_t in_runs = DivideUp((grid.rows - 1) * grid.pitch + grid.columns, lanes);
  const bool rows_possible = grid.columns >= lanes && grid.column_step == 1;
  const int64_t run_cost = plan.dense ? kKeptStoreCost : kRunStoreCost;
  const bool rows_cheaper = in_rows * (taps + kDirectStoreCost) <= in_runs * (taps + run_cost);
  if (rows_possible && (rows_cheaper || !padded)) return PlanRows(grid, lanes, plan);
  PlanRuns(grid, lanes, plan);
}

int64_t PositionLanesCost(const VectorPlan& plan, int64_t taps) {
  return static_cast<int64_t>(plan.sources.size()) * (taps + (plan.direct  ? kDirectStoreCost
                                                              : plan.dense ? kKeptStoreCost
                                                                           : kRunStoreCost));
}

int64_t RowLanesCost(const PositionGrid& grid, int64_t taps, const MatmulTileShape& tile,
                     int64_t vectors) {
  // A small tile waits for its loads and for its own results: 14 x 1 is 4 to 8 %
  // slower than 14 x 2.
  constexpr int64_t kLeastAccumulators = 15;
  const int64_t positions = grid.columns / DivideUp(grid.columns, tile.rows);
  const int64_t accumulators = positions * std::min(vectors, tile.columns / tile.vector);
  const int64_t cost = DivideUp(grid.rows * grid.columns * (taps + kTurnedStoreCost), tile.vector);
  return cost * std::max(accumulators, kLeastAccumulators) / std::max<int64_t>(1, accumulators);
}

void PlanGradientPhase(const ConvolutionShape& shape, const PaddedLayout& layout, int64_t row_phase,
                       int64_t column_phase, GradientPhase& phase) {
  PositionGrid& grid = phase.grid;
  grid.rows = DivideUp(shape.in_height - row_phase, shape.stride_height);
  grid.columns = DivideUp(shape.in_width - column_phase, shape.stride_width);
  grid.pitch = layout.pitch;
  grid.first = row_phase * shape.in_width + column_phase;
  grid.row_step = shape.stride_height * shape.in_width;
  grid.column_step = shape.stride_width;
  grid.destination_end = shape.InPlane();
  phase.kernel_taps.clear();
  phase.taps.clear();
  for (int64_t r = 0; r < shape.kernel_height; ++r) {
    const int64_t row = row_phase + shape.padding_height - r * shape.dilation_height;
    if (row % shape.stride_height != 0) continue;
    for (int64_t c = 0; c < shape.kernel_width; ++c) {
      const int64_t column = column_phase + shape.padding_width - c * shape.dilation_width;
      if (column % shape.stride_width != 0) continue;
      phase.kernel_taps.push_back(static_cast<int32_t>(r * shape.kernel_width + c));
      phase.taps.push_back(static_cast<int32_t>(layout.At(
          row / shape.stride_height + layout.top, column / shape.stride_width + layout.left)));
    }
  }
}

}  // namespace lockstep::kernels
