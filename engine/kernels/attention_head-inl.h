// Attention within one head, block of rows after block of rows. All of the
// arithmetic is here and in strided_tile-inl.h.
// Included once per target, by files that include hwy/foreach_target.h.
#if defined(LOCKSTEP_ENGINE_KERNELS_ATTENTION_HEAD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_ENGINE_KERNELS_ATTENTION_HEAD_INL_H_
#undef LOCKSTEP_ENGINE_KERNELS_ATTENTION_HEAD_INL_H_
#else
#define LOCKSTEP_ENGINE_KERNELS_ATTENTION_HEAD_INL_H_
#endif

#include <cmath>
#include <limits>
#include <numeric>

#include "engine/kernels/attention_head.h"
#include "engine/kernels/matmul_pack-inl.h"
#include "engine/kernels/reduce-inl.h"
#include "engine/kernels/strided_tile-inl.h"
#include "engine/kernels/transcendental-inl.h"
#include "engine/kernels/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

// A block's scores of 128 positions and one head's keys and values stay in the
// first two caches.
inline constexpr int64_t kAttentionBlockRows = 8 * kStridedRows;

HWY_INLINE int64_t RoundedUp(int64_t size, int64_t multiple) {
  return (size + multiple - 1) / multiple * multiple;
}
HWY_INLINE int64_t VectorLanes() { return static_cast<int64_t>(hn::Lanes(FloatTag())); }
HWY_INLINE int64_t PanelColumns() { return kStridedVectors * VectorLanes(); }
// Floats from row to row of packed [positions, head_dim].
HWY_INLINE int64_t HeadWidth(const AttentionExtents& e) {
  return RoundedUp(e.head_dim, VectorLanes());
}
// Floats from row to row of scores over `columns` columns.
HWY_INLINE int64_t ScoreStride(int64_t columns) {
  return RoundedUp(columns, HWY_MAX(kSumLanes, VectorLanes()));
}
HWY_INLINE float ScoreScale(const AttentionExtents& e) {
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(e.head_dim)));
}

// Scratch cut into pieces that begin at cache lines; without memory, a count.
struct ScratchPieces {
  float* memory = nullptr;
  int64_t taken = 0;

  float* Take(int64_t floats) {
    float* piece = memory == nullptr ? nullptr : memory + taken;
    taken += RoundedUp(floats, 16);
    return piece;
  }
};

struct ForwardScratch {
  float *key_panels, *values, *queries, *scores, *rows;

  ForwardScratch(const AttentionExtents& e, ScratchPieces& pieces) {
    const int64_t width = HeadWidth(e);
    key_panels = pieces.Take(RoundedUp(e.positions, PanelColumns()) * e.head_dim);
    values = pieces.Take(e.positions * width);
    queries = pieces.Take(kAttentionBlockRows * width);
    scores = pieces.Take(kAttentionBlockRows * ScoreStride(e.positions));
    rows = pieces.Take(PanelColumns() * width);
  }
};

struct BackwardScratch {
  float *key_panels, *value_panels, *keys, *dk, *dv;                    // all columns
  float *queries, *dout, *dq, *probabilities, *score_gradients, *rows;  // a block

  BackwardScratch(const AttentionExtents& e, int64_t columns, ScratchPieces& pieces) {
    const int64_t width = HeadWidth(e);
    key_panels = pieces.Take(RoundedUp(columns, PanelColumns()) * e.head_dim);
    value_panels = pieces.Take(RoundedUp(columns, PanelColumns()) * e.head_dim);
    keys = pieces.Take(columns * width);
    dk = pieces.Take(columns * width);
    dv = pieces.Take(columns * width);
    queries = pieces.Take(kAttentionBlockRows * width);
    dout = pieces.Take(kAttentionBlockRows * width);
    dq = pieces.Take(kAttentionBlockRows * width);
    probabilities = pieces.Take(kAttentionBlockRows * ScoreStride(columns));
    score_gradients = pieces.Take(kAttentionBlockRows * ScoreStride(columns));
    rows = pieces.Take(HWY_MAX(PanelColumns() * width, RoundedUp(e.head_dim, kSumLanes)));
  }
};

// Rotates the pairs (low[c], high[c]) by the angles, forth or back.
HWY_INLINE void RotatePairs(bool back, int64_t pairs, const float* low, const float* high,
                            const float* cosines, const float* sines, float* out_low,
                            float* out_high) {
  const FloatTag d;
  const int64_t lanes = VectorLanes();
  for (int64_t c = 0; c < pairs; c += lanes) {
    const int64_t left = pairs - c;
    const bool whole = left >= lanes;
    const auto x = whole ? hn::LoadU(d, low + c) : LoadPartial(d, low + c, left);
    const auto y = whole ? hn::LoadU(d, high + c) : LoadPartial(d, high + c, left);
    const auto w = whole ? hn::LoadU(d, cosines + c) : LoadPartial(d, cosines + c, left);
    const auto z = whole ? hn::LoadU(d, sines + c) : LoadPartial(d, sines + c, left);
    const auto turned_x = Fma(back ? y : hn::Neg(y), z, hn::Mul(x, w));
    const auto turned_y = Fma(back ? hn::Neg(x) : x, z, hn::Mul(y, w));
    if (whole) {
      hn::StoreU(turned_x, d, out_low + c);
      hn::StoreU(turned_y, d, out_high + c);
    } else {
      StorePartial(turned_x, d, out_low + c, left);
      StorePartial(turned_y, d, out_high + c, left);
    }
  }
}

HWY_INLINE void CopyHeadRow(const AttentionExtents& e, const RotaryTable& rotary, bool back,
                            int64_t position, const float* from, float* to) {
  if (rotary.cosines == nullptr) {
    std::memcpy(to, from, e.head_dim * sizeof(float));
    return;
  }
  const int64_t half = e.head_dim / 2;
  RotatePairs(back, half, from, from + half, rotary.cosines + position * half,
              rotary.sines + position * half, to, to + half);
}

// Rows [begin, begin + count) of x, packed, to [count][width]; rotated where
// there is a table. What the width has more than head_dim becomes +0.
HWY_INLINE void LoadHeadRows(const AttentionExtents& e, const RotaryTable& rotary,
                             const HeadRows<const float>& x, int64_t begin, int64_t count,
                             float* to) {
  const int64_t width = HeadWidth(e);
  for (int64_t i = 0; i < count; ++i, to += width) {
    CopyHeadRow(e, rotary, /*back=*/false, begin + i, x.at(begin + i), to);
    for (int64_t c = e.head_dim; c < width; ++c) to[c] = 0.0f;
  }
}

// Gradients back from [count][width] to rows [begin, begin + count) of x.
HWY_INLINE void StoreHeadRows(const AttentionExtents& e, const RotaryTable& rotary,
                              const float* from, int64_t begin, int64_t count,
                              const HeadRows<float>& x) {
  const int64_t width = HeadWidth(e);
  for (int64_t i = 0; i < count; ++i, from += width) {
    CopyHeadRow(e, rotary, /*back=*/true, begin + i, from, x.at(begin + i));
  }
}

// Panels [head_dim][PanelColumns()] of the transpose of rows [begin, end) of x;
// `rows` is scratch of one panel's rows.
HWY_INLINE void PackHeadPanels(const AttentionExtents& e, const RotaryTable& rotary,
                               const HeadRows<const float>& x, int64_t begin, int64_t end,
                               float* rows, float* panels) {
  const int64_t panel_columns = PanelColumns();
  for (int64_t j = begin; j < end; j += panel_columns, panels += panel_columns * e.head_dim) {
    const int64_t count = HWY_MIN(panel_columns, end - j);
    LoadHeadRows(e, rotary, x, j, count, rows);
    PackTransposed(rows, HeadWidth(e), count, e.head_dim, panels, panel_columns);
    if (count == panel_columns) continue;
    for (int64_t c = 0; c < e.head_dim; ++c) {
      for (int64_t i = count; i < panel_columns; ++i) panels[c * panel_columns + i] = 0.0f;
    }
  }
}

// out[r][j] = chain over c of a[r][c] * panels[c][j] for j < columns, rounded up
// to whole vectors. a is [rows][width].
HWY_INLINE void ComputeScores(const AttentionExtents& e, const float* a, int64_t rows,
                              const float* panels, int64_t columns, float* out,
                              int64_t out_stride) {
  const int64_t lanes = VectorLanes();
  const int64_t panel_columns = PanelColumns();
  StridedTileTask task;
  task.a_row_stride = HeadWidth(e);
  task.a_depth_stride = 1;
  task.b_stride = panel_columns;
  task.depth = e.head_dim;
  task.out_stride = out_stride;
  task.last_lanes = lanes;
  for (int64_t j = 0; j < columns; j += panel_columns) {
    const int64_t vectors = (HWY_MIN(panel_columns, columns - j) + lanes - 1) / lanes;
    task.b = panels + j * e.head_dim;
    for (int64_t r = 0; r < rows; r += kStridedRows) {
      task.a = a + r * task.a_row_stride;
      task.out = out + r * out_stride + j;
      ComputeStridedTileOf(HWY_MIN(kStridedRows, rows - r), vectors, task);
    }
  }
}

// The same for a block of rows, tile by tile no further than each tile's last
// row sees: row r sees columns [0, first_seen + r).
HWY_INLINE void ComputeBlockScores(const AttentionExtents& e, const float* a, int64_t rows,
                                   const float* panels, int64_t columns, int64_t first_seen,
                                   float* out, int64_t out_stride) {
  for (int64_t r = 0; r < rows; r += kStridedRows) {
    const int64_t count = HWY_MIN(kStridedRows, rows - r);
    const int64_t seen = HWY_MIN(columns, first_seen + r + count - 1);
    if (seen <= 0) continue;
    ComputeScores(e, a + r * HeadWidth(e), count, panels, seen, out + r * out_stride, out_stride);
  }
}

// Turns the first `seen` unscaled scores of a row into probabilities, in
// place; what follows up to whole groups of 16 becomes +0, which adds nothing
// to the row's sum. Keeps maximum and sum. (The maximum may pass over a NaN:
// the sum, and with it the row, is NaN then in any case.)
HWY_INLINE void SoftmaxRow(float* s, int64_t seen, float scale, float* statistics) {
  const hn::CappedTag<float, kSumLanes> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t padded = RoundedUp(seen, kSumLanes);
  for (int64_t j = seen; j < padded; ++j) s[j] = -std::numeric_limits<float>::infinity();
  const auto factor = hn::Set(d, scale);
  auto best = hn::Mul(hn::LoadU(d, s), factor);
  for (int64_t j = lanes; j < padded; j += lanes) {
    best = hn::Max(best, hn::Mul(hn::LoadU(d, s + j), factor));
  }
  const auto maximum = hn::MaxOfLanes(d, best);
  for (int64_t j = 0; j < padded; j += lanes) {
    const auto scaled = hn::Mul(hn::LoadU(d, s + j), factor);
    hn::StoreU(ExpOf(d, hn::Sub(scaled, maximum)), d, s + j);
  }
  const float sum = SumRow(padded, s);
  const auto divisor = hn::Set(d, sum);
  for (int64_t j = 0; j < padded; j += lanes) {
    hn::StoreU(hn::Div(hn::LoadU(d, s + j), divisor), d, s + j);
  }
  statistics[0] = hn::GetLane(maximum);
  statistics[1] = sum;
}

void ComputeAttentionHead(const AttentionHead& head) {
  const AttentionExtents& e = head.extents;
  ScratchPieces pieces{head.scratch, 0};
  const ForwardScratch scratch(e, pieces);
  const int64_t width = HeadWidth(e);
  const int64_t stride = ScoreStride(e.positions);
  const float scale = ScoreScale(e);
  const int64_t columns = e.causal ? head.row_end : e.positions;
  PackHeadPanels(e, head.rotary, head.k, 0, columns, scratch.rows, scratch.key_panels);
  LoadHeadRows(e, RotaryTable(), head.v, 0, columns, scratch.values);
  for (int64_t begin = head.row_begin; begin < head.row_end; begin += kAttentionBlockRows) {
    const int64_t rows = HWY_MIN(kAttentionBlockRows, head.row_end - begin);
    LoadHeadRows(e, head.rotary, head.q, begin, rows, scratch.queries);
    ComputeBlockScores(e, scratch.queries, rows, scratch.key_panels, columns,
                       e.causal ? begin + 1 : columns, scratch.scores, stride);
    for (int64_t r = 0; r < rows; ++r) {
      SoftmaxRow(scratch.scores + r * stride, e.causal ? begin + r + 1 : columns, scale,
                 head.statistics + (begin + r) * 2);
    }
    StridedTileTask task;
    task.a_row_stride = stride;
    task.a_depth_stride = 1;
    task.b = scratch.values;
    task.b_stride = width;
    task.rows_end_late = e.causal;
    task.out_stride = head.out.stride;
    for (int64_t r = 0; r < rows; r += kStridedRows) {
      task.a = scratch.scores + r * stride;
      task.depth = e.causal ? begin + r + 1 : columns;
      task.out = head.out.at(begin + r);
      ComputeStridedTileRow(HWY_MIN(kStridedRows, rows - r), e.head_dim, task);
    }
  }
}

// From unscaled scores in p and dout v^T in ds to probabilities and the scores'
// gradients, both in place. What lies beyond `seen` in its vector is garbage.
HWY_INLINE void SoftmaxGradientRow(int64_t seen, float scale, const float* statistics, float dot,
                                   float* p, float* ds) {
  const FloatTag d;
  const int64_t lanes = VectorLanes();
  const auto factor = hn::Set(d, scale);
  const auto maximum = hn::Set(d, statistics[0]);
  const auto sum = hn::Set(d, statistics[1]);
  const auto shift = hn::Set(d, dot);
  for (int64_t j = 0; j < seen; j += lanes) {
    const auto e = ExpOf(d, hn::Sub(hn::Mul(hn::LoadU(d, p + j), factor), maximum));
    const auto probability = hn::Div(e, sum);
    const auto gradient = hn::Mul(probability, hn::Sub(hn::LoadU(d, ds + j), shift));
    hn::StoreU(probability, d, p + j);
    hn::StoreU(hn::Mul(gradient, factor), d, ds + j);
  }
}

// The row sum of a[c] * b[c]; `products` is scratch.
HWY_INLINE float RowDot(int64_t size, const float* a, const float* b, float* products) {
  Map(size, a, b, products, [](FloatVector x, FloatVector y) HWY_ATTR { return hn::Mul(x, y); });
  return SumRow(size, products);
}

// What rows [begin, begin + rows), with probabilities or score gradients in
// `weights`, add to the columns' gradients: sum[j] goes on with weights^T x.
HWY_INLINE void AddColumnGradients(const AttentionHeadGradient& head, int64_t begin, int64_t rows,
                                   bool first_block, const float* weights, int64_t stride,
                                   const float* x, float* sum) {
  const AttentionExtents& e = head.extents;
  const int64_t width = HeadWidth(e);
  const int64_t seen_end = e.causal ? HWY_MIN(head.column_end, begin + rows) : head.column_end;
  StridedTileTask task;
  task.a_row_stride = 1;
  task.a_depth_stride = stride;
  task.b_stride = width;
  task.out_stride = width;
  for (int64_t j = head.column_begin; j < seen_end; j += kStridedRows) {
    // Blocks and tiles of columns begin at multiples of kStridedRows, so a tile
    // of columns either lies before the block or begins on its diagonal.
    const bool diagonal = e.causal && j >= begin;
    const int64_t skipped = diagonal ? j - begin : 0;
    task.a = weights + skipped * stride + (j - head.column_begin);
    task.b = x + skipped * width;
    task.depth = rows - skipped;
    task.rows_begin_late = diagonal;
    task.continues = e.causal ? !diagonal : !first_block;
    task.out = sum + (j - head.column_begin) * width;
    ComputeStridedTileRow(HWY_MIN(kStridedRows, seen_end - j), width, task);
  }
}

void ComputeAttentionHeadGradient(const AttentionHeadGradient& head) {
  const AttentionExtents& e = head.extents;
  const int64_t columns = head.column_end - head.column_begin;
  ScratchPieces pieces{head.scratch, 0};
  const BackwardScratch scratch(e, columns, pieces);
  const int64_t width = HeadWidth(e);
  const int64_t stride = ScoreStride(columns);
  const float scale = ScoreScale(e);
  PackHeadPanels(e, head.rotary, head.k, head.column_begin, head.column_end, scratch.rows,
                 scratch.key_panels);
  PackHeadPanels(e, RotaryTable(), head.v, head.column_begin, head.column_end, scratch.rows,
                 scratch.value_panels);
  if (head.dq.data != nullptr) {
    LoadHeadRows(e, head.rotary, head.k, head.column_begin, columns, scratch.keys);
  }
  for (int64_t begin = head.row_begin; begin < head.row_end; begin += kAttentionBlockRows) {
    const int64_t rows = HWY_MIN(kAttentionBlockRows, head.row_end - begin);
    const int64_t first_seen = e.causal ? begin + 1 - head.column_begin : columns;
    LoadHeadRows(e, head.rotary, head.q, begin, rows, scratch.queries);
    LoadHeadRows(e, RotaryTable(), head.dout, begin, rows, scratch.dout);
    ComputeBlockScores(e, scratch.queries, rows, scratch.key_panels, columns, first_seen,
                       scratch.probabilities, stride);
    ComputeBlockScores(e, scratch.dout, rows, scratch.value_panels, columns, first_seen,
                       scratch.score_gradients, stride);
    for (int64_t r = 0; r < rows; ++r) {
      const float dot =
          RowDot(e.head_dim, head.dout.at(begin + r), head.out.at(begin + r), scratch.rows);
      SoftmaxGradientRow(HWY_MIN(columns, e.causal ? first_seen + r : columns), scale,
                         head.statistics + (begin + r) * 2, dot, scratch.probabilities + r * stride,
                         scratch.score_gradients + r * stride);
    }
    if (head.dk.data != nullptr) {
      const bool first = begin == head.row_begin;
      AddColumnGradients(head, begin, rows, first, scratch.probabilities, stride, scratch.dout,
                         scratch.dv);
      AddColumnGradients(head, begin, rows, first, scratch.score_gradients, stride, scratch.queries,
                         scratch.dk);
    }
    if (head.dq.data == nullptr) continue;
    StridedTileTask task;
    task.a_row_stride = stride;
    task.a_depth_stride = 1;
    task.b = scratch.keys;
    task.b_stride = width;
    task.rows_end_late = e.causal;
    task.out_stride = width;
    for (int64_t r = 0; r < rows; r += kStridedRows) {
      task.a = scratch.score_gradients + r * stride;
      task.depth = e.causal ? begin + r + 1 : columns;
      task.out = scratch.dq + r * width;
      ComputeStridedTileRow(HWY_MIN(kStridedRows, rows - r), width, task);
    }
    StoreHeadRows(e, head.rotary, scratch.dq, begin, rows, head.dq);
  }
  if (head.dk.data == nullptr) return;
  StoreHeadRows(e, head.rotary, scratch.dk, head.column_begin, columns, head.dk);
  StoreHeadRows(e, RotaryTable(), scratch.dv, head.column_begin, columns, head.dv);
}

void LayOutAttention(const AttentionExtents& e, AttentionLayout& layout) {
  layout.block_rows = kAttentionBlockRows;
  layout.column_multiple = std::lcm(kStridedRows, PanelColumns());
  ScratchPieces forward, backward;
  ForwardScratch(e, forward);
  BackwardScratch(e, e.positions, backward);
  layout.forward_floats = forward.taken;
  layout.backward_floats = backward.taken;
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#endif  // per target
