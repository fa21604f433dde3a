// How a convolution is cut into register tiles, the same for every instruction
// set but for the vectors' length. Nothing here computes.
//
// A convolution is a matrix product whose right operand exists only as
// addresses: the channels of one example are copied once into planes with zeros
// around them (or used where they lie, if nothing has to be around them), and
// the element for a tap (channel, kernel row, kernel column) and an output
// position is at tap offset + position offset. Neighbouring positions are
// neighbouring floats, so a vector of them is one unaligned load.
#ifndef LOCKSTEP_ENGINE_KERNELS_CONVOLUTION_PLAN_H_
#define LOCKSTEP_ENGINE_KERNELS_CONVOLUTION_PLAN_H_

#include <cstdint>

#include "engine/block_pool.h"
#include "engine/kernels/convolution_shape.h"
#include "engine/kernels/matmul_part.h"

namespace lockstep::kernels {

// A kernel of one element that skips and pads nothing sees each position alone:
// the plane is then one row.
ConvolutionShape Simplified(ConvolutionShape shape);

// Where the elements of one channel's padded plane lie in scratch. With steps
// above 1 (strides) the positions of equal remainder form a plane of their own,
// a phase, so that what a vector takes is contiguous. Within a phase, the
// zeros right of a row are also those left of the next.
struct PaddedLayout {
  int64_t height = 0;  // of the plane that is copied in
  int64_t width = 0;
  int64_t top = 0;  // zeros above and left of it
  int64_t left = 0;
  int64_t row_step = 1;
  int64_t column_step = 1;
  int64_t pitch = 0;  // floats from a row of a phase to the next
  int64_t phase = 0;  // floats of a phase
  int64_t plane = 0;  // floats of a channel

  int64_t At(int64_t row, int64_t column) const {
    return (row % row_step * column_step + column % column_step) * phase + row / row_step * pitch +
           column / column_step;
  }
  // No zeros, no phases: a plane as it lies in memory.
  bool Plain() const { return plane == height * width && row_step * column_step == 1; }
};

// The padded planes of x that forward and weight gradient read.
PaddedLayout InputLayout(const ConvolutionShape& shape);
// The padded planes of dy that the input gradient reads.
PaddedLayout GradientLayout(const ConvolutionShape& shape);

// The offsets of the kernel's taps in a padded plane of x, kernel row and
// column ascending.
void InputTaps(const ConvolutionShape& shape, const PaddedLayout& layout,
               PooledVector<int32_t>& taps);

// A row of positions within a vector: `count` lanes from `lane` on go to
// `destination` and what follows it.
struct LaneRun {
  int32_t lane = 0;
  int32_t count = 0;
  int32_t destination = 0;
};

// The positions of one output plane as vectors. Either every vector lies in one
// row and is stored as it is (`direct`; the last of a row overlaps the one
// before), or vectors run on over the zeros between the rows, and only their
// runs are stored.
struct VectorPlan {
  bool direct = true;
  PooledVector<int32_t> sources;       // per vector
  PooledVector<int32_t> destinations;  // per vector, if direct or dense
  PooledVector<int32_t> first_runs;    // per vector and one more, if not direct
  PooledVector<LaneRun> runs;
  int64_t destination_step = 1;  // between the lanes of a run
  bool dense = false;            // the runs fill the plane without gaps, ascending
  // Per vector, if dense and not direct: which lanes are positions (bit i: lane
  // i), and where the first of them is stored.
  PooledVector<uint64_t> kept_lanes;
  int64_t destination_end = 0;  // floats of the output plane
};

// The positions rows x columns, `pitch` floats from row to row; position (i, j)
// is stored at first + i * row_step + j * column_step. `taps`: how much is
// computed per position. `padded`: whether vectors may read over a row's end.
struct PositionGrid {
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t pitch = 0;
  int64_t first = 0;
  int64_t row_step = 0;
  int64_t column_step = 1;
  int64_t destination_end = 0;
};
void PlanVectors(const PositionGrid& grid, int64_t taps, bool padded, int64_t lanes,
                 VectorPlan& plan);

// What an output channel costs, in multiply-adds of vectors: with the planned
// vectors of positions as lanes, and with channels as lanes, of which there are
// `vectors` vectors; `tile` has positions as rows and channels as columns.
int64_t PositionLanesCost(const VectorPlan& plan, int64_t taps);
int64_t RowLanesCost(const PositionGrid& grid, int64_t taps, const MatmulTileShape& tile,
                     int64_t vectors);

// One phase of the input gradient: the rows row_phase, row_phase +
// stride_height, ... and columns likewise of dx, and the taps that meet them.
struct GradientPhase {
  PositionGrid grid;
  PooledVector<int32_t> kernel_taps;  // kernel row * kernel width + kernel column
  PooledVector<int32_t> taps;         // their offsets in a padded plane of dy
};
void PlanGradientPhase(const ConvolutionShape& shape, const PaddedLayout& layout, int64_t row_phase,
                       int64_t column_phase, GradientPhase& phase);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_CONVOLUTION_PLAN_H_
