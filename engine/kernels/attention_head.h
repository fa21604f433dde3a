// One head of one example as attention's kernels see it.
#ifndef LOCKSTEP_ENGINE_KERNELS_ATTENTION_HEAD_H_
#define LOCKSTEP_ENGINE_KERNELS_ATTENTION_HEAD_H_

#include <cstdint>

#include "engine/kernels/attention.h"

namespace lockstep::kernels {

// How an instruction set cuts the work.
struct AttentionLayout {
  int64_t block_rows = 0;       // rows whose scores exist at a time
  int64_t column_multiple = 0;  // runs of columns begin at multiples of it
  int64_t forward_floats = 0;   // scratch of one head
  int64_t backward_floats = 0;
};

// [positions, head_dim] with `stride` floats from row to row.
template <class Float>
struct HeadRows {
  Float* data = nullptr;
  int64_t stride = 0;

  Float* at(int64_t position) const { return data + position * stride; }
};

struct AttentionHead {
  AttentionExtents extents;
  RotaryTable rotary;
  HeadRows<const float> q, k, v;
  HeadRows<float> out;
  float* statistics = nullptr;  // [positions, 2]
  // Rows whose results are wanted; begins at a multiple of block_rows.
  int64_t row_begin = 0;
  int64_t row_end = 0;
  float* scratch = nullptr;
};

struct AttentionHeadGradient {
  AttentionExtents extents;
  RotaryTable rotary;
  HeadRows<const float> q, k, v, out, dout;
  const float* statistics = nullptr;
  // Not wanted where data is null. dq needs all columns; dk and dv need all
  // rows (causal: those from column_begin on).
  HeadRows<float> dq, dk, dv;
  int64_t row_begin = 0;
  int64_t row_end = 0;
  int64_t column_begin = 0;
  int64_t column_end = 0;
  float* scratch = nullptr;
};

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_ATTENTION_HEAD_H_
