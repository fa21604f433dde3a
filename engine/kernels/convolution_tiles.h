// A convolution of one example and group, and a weight gradient's step over one
// example, as the register tiles see them.
#ifndef LOCKSTEP_ENGINE_KERNELS_CONVOLUTION_TILES_H_
#define LOCKSTEP_ENGINE_KERNELS_CONVOLUTION_TILES_H_

#include <cstdint>

#include "engine/kernels/convolution_plan.h"

namespace lockstep::kernels {

// Where part `part` of `parts` of [0, items) begins, as even as can be.
inline int64_t EvenCut(int64_t items, int64_t part, int64_t parts) { return items * part / parts; }

// out[row, position] = activation(sum over taps of weights[row, tap] *
// source[tap + position] + bias[row]).
struct CorrelationTask {
  // The rows' weights in panels: panel p of `panels` holds the rows
  // [EvenCut(rows, p, panels), EvenCut(rows, p + 1, panels)) as [taps][rows].
  // With rows as lanes the vectors of rows are cut that way.
  const float* weights = nullptr;
  int64_t rows = 0;
  int64_t panels = 0;
  int64_t first_panel = 0;  // computed are [first_panel, end_panel)
  int64_t end_panel = 0;
  const float* source = nullptr;
  const int32_t* taps = nullptr;
  int64_t tap_count = 0;
  const VectorPlan* vectors = nullptr;
  // For lanes that are rows: the positions, which fill an output plane in order.
  int64_t grid_rows = 0;
  int64_t grid_columns = 0;
  int64_t grid_pitch = 0;       // floats of the source from one row of positions to the next
  const float* bias = nullptr;  // [rows]; null: none
  bool relu = false;
  float* out = nullptr;
  int64_t out_stride = 0;  // from row to row
};

// sums[tap, channel] goes on with the positions of one example:
// fma(source[tap + position], upstream[position, channel], sum).
struct WeightGradientTask {
  const float* source = nullptr;
  const int32_t* taps = nullptr;
  int64_t tap_count = 0;
  int64_t rows = 0;     // of positions
  int64_t columns = 0;  // positions of a row
  int64_t pitch = 0;    // floats of the source from row to row
  // Panels of tile columns of channels, as PackColumnPanel packs them.
  const float* upstream = nullptr;
  int64_t channels = 0;
  bool first = true;  // sums start at +0
  // Per panel of channels: [taps][panel's width].
  float* sums = nullptr;
};

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_CONVOLUTION_TILES_H_
