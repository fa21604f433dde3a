#include "engine/kernels/attention.h"

#include "engine/kernels/attention_head.h"
#include "engine/kernels/highway_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/attention.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h, which sets what they are compiled for.
#include "engine/kernels/attention_head-inl.h"
#include "hwy/highway.h"

#if HWY_ONCE
#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/kernels/aligned_buffer.h"
#include "engine/kernels/parallel.h"

namespace lockstep::kernels {
HWY_EXPORT(LayOutAttention);
HWY_EXPORT(ComputeAttentionHead);
HWY_EXPORT(ComputeAttentionHeadGradient);
namespace {

// Below so many multiply-adds a second thread costs more than it brings.
constexpr int64_t kMultiplyAddsPerThread = 64 * 1024;
// Heads are cut into runs of rows or columns so that each thread finds at least
// so many pieces to take; shorter runs than this would pack keys too often.
constexpr int64_t kPiecesPerThread = 4;
constexpr int64_t kBlocksPerRun = 4;

int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

AttentionLayout CheckedLayout(const AttentionExtents& e, const RotaryTable& rotary) {
  LOCKSTEP_CHECK(e.heads >= 1 && e.head_dim >= 1,
                 absl::StrCat("attention: got ", e.heads, " heads of ", e.head_dim));
  LOCKSTEP_CHECK(rotary.cosines == nullptr || e.head_dim % 2 == 0,
                 absl::StrCat("rotary embedding: got an odd head_dim ", e.head_dim));
  AttentionLayout layout;
  HWY_DYNAMIC_DISPATCH(LayOutAttention)(e, layout);
  return layout;
}

int ThreadsOf(const AttentionExtents& e) {
  return ThreadsFor(e.examples * e.heads * e.positions * e.positions * e.head_dim,
                    kMultiplyAddsPerThread);
}

// Calls run(piece) for [0, pieces), each by whichever thread is free.
template <class F>
void ForEachPiece(int64_t pieces, int threads, const F& run) {
  if (threads <= 1) {
    for (int64_t piece = 0; piece < pieces; ++piece) run(piece);
    return;
  }
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
  for (int64_t piece = 0; piece < pieces; ++piece) run(piece);
}

float* Scratch(int64_t floats) {
  static thread_local AlignedBuffer buffer;
  return buffer.Reserve(floats);
}

// q (part 0), k (1) or v (2) of head `index`, counted through all examples.
template <class Float>
HeadRows<Float> PartOf(const AttentionExtents& e, Float* qkv, int64_t index, int part) {
  const int64_t width = e.heads * e.head_dim;
  return {
      qkv + index / e.heads * e.positions * 3 * width + part * width + index % e.heads * e.head_dim,
      3 * width};
}

// Head `index` of [examples, positions, heads, head_dim].
template <class Float>
HeadRows<Float> RowsOf(const AttentionExtents& e, Float* x, int64_t index) {
  const int64_t width = e.heads * e.head_dim;
  return {x + index / e.heads * e.positions * width + index % e.heads * e.head_dim, width};
}

// The positions of one of `runs` runs, which begin at multiples of `multiple`.
struct Run {
  int64_t begin = 0;
  int64_t end = 0;
};

Run RunOf(int64_t positions, int64_t runs, int64_t multiple, int64_t run) {
  const int64_t blocks = DivideUp(positions, multiple);
  return {std::min(positions, blocks * run / runs * multiple),
          std::min(positions, blocks * (run + 1) / runs * multiple)};
}

}  // namespace

void Attention(const AttentionExtents& e, RotaryTable rotary, const float* qkv, float* out,
               float* statistics) {
  const AttentionLayout layout = CheckedLayout(e, rotary);
  const int threads = ThreadsOf(e);
  const int64_t heads = e.examples * e.heads;
  if (heads == 0 || e.positions == 0) return;
  const int64_t most_runs = std::max<int64_t>(1, e.positions / (kBlocksPerRun * layout.block_rows));
  const int64_t runs =
      threads == 1 ? 1 : std::min(most_runs, DivideUp(threads * kPiecesPerThread, heads));
  ForEachPiece(heads * runs, threads, [&](int64_t piece) {
    const int64_t index = piece / runs;
    const Run rows = RunOf(e.positions, runs, layout.block_rows, piece % runs);
    AttentionHead head;
    head.extents = e;
    head.rotary = rotary;
    head.q = PartOf(e, qkv, index, 0);
    head.k = PartOf(e, qkv, index, 1);
    head.v = PartOf(e, qkv, index, 2);
    head.out = RowsOf(e, out, index);
    head.statistics = statistics + index * e.positions * 2;
    head.row_begin = rows.begin;
    head.row_end = rows.end;
    head.scratch = Scratch(layout.forward_floats);
    HWY_DYNAMIC_DISPATCH(ComputeAttentionHead)(head);
  });
}

// A head is one piece, which needs five products. Where there are fewer heads
// than threads it is cut into runs of rows, for dq, and runs of columns, for dk
// and dv, which need seven together.
void AttentionBackward(const AttentionExtents& e, RotaryTable rotary, const float* qkv,
                       const float* out, const float* statistics, const float* dout, float* dqkv) {
  const AttentionLayout layout = CheckedLayout(e, rotary);
  const int threads = ThreadsOf(e);
  const int64_t heads = e.examples * e.heads;
  if (heads == 0 || e.positions == 0) return;
  const int64_t multiple = std::lcm(layout.block_rows, layout.column_multiple);
  const int64_t most_runs = std::max<int64_t>(1, e.positions / (kBlocksPerRun * multiple));
  const int64_t runs =
      heads >= threads ? 1 : std::min(most_runs, DivideUp(threads * kPiecesPerThread, heads));
  const int64_t pieces = runs == 1 ? 1 : 2 * runs;
  ForEachPiece(heads * pieces, threads, [&](int64_t piece) {
    const int64_t index = piece / pieces;
    const Run run = RunOf(e.positions, runs, multiple, piece % pieces % runs);
    const bool want_rows = piece % pieces < runs;
    const bool want_columns = runs == 1 || !want_rows;
    AttentionHeadGradient head;
    head.extents = e;
    head.rotary = rotary;
    head.q = PartOf(e, qkv, index, 0);
    head.k = PartOf(e, qkv, index, 1);
    head.v = PartOf(e, qkv, index, 2);
    head.out = RowsOf(e, out, index);
    head.dout = RowsOf(e, dout, index);
    head.statistics = statistics + index * e.positions * 2;
    if (want_rows) head.dq = PartOf(e, dqkv, index, 0);
    if (want_columns) {
      head.dk = PartOf(e, dqkv, index, 1);
      head.dv = PartOf(e, dqkv, index, 2);
    }
    head.row_begin = want_rows ? run.begin : e.causal ? run.begin : 0;
    head.row_end = want_rows ? run.end : e.positions;
    head.column_begin = want_rows ? 0 : run.begin;
    head.column_end = want_rows ? (e.causal ? run.end : e.positions) : run.end;
    head.scratch = Scratch(layout.backward_floats);
    HWY_DYNAMIC_DISPATCH(ComputeAttentionHeadGradient)(head);
  });
}

}  // namespace lockstep::kernels
#endif  // HWY_ONCE
