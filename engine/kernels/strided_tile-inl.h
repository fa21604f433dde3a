// A register tile of products whose left operand is read where it lies, at any
// strides, and whose chains may begin or end row by row, as under a causal mask.
// For operands too small to be worth packing into panels (matmul_tile-inl.h).
// Included once per target, by files that include hwy/foreach_target.h.
#if defined(LOCKSTEP_ENGINE_KERNELS_STRIDED_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_ENGINE_KERNELS_STRIDED_TILE_INL_H_
#undef LOCKSTEP_ENGINE_KERNELS_STRIDED_TILE_INL_H_
#else
#define LOCKSTEP_ENGINE_KERNELS_STRIDED_TILE_INL_H_
#endif

#include "engine/kernels/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

// As in matmul_tile-inl.h, and for the same reasons.
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_SCALAR
inline constexpr int64_t kStridedRows = 6;
inline constexpr int64_t kStridedVectors = 2;
#else
inline constexpr int64_t kStridedRows = 8;
inline constexpr int64_t kStridedVectors = 3;
#endif

// out[r][c] = start + the chain over k ascending of fma(a(r, k), b(k, c), .),
// a(r, k) = a[r * a_row_stride + k * a_depth_stride], b(k, c) = b[k * b_stride + c].
struct StridedTileTask {
  const float* a = nullptr;
  int64_t a_row_stride = 0;
  int64_t a_depth_stride = 0;
  const float* b = nullptr;
  int64_t b_stride = 0;
  int64_t depth = 0;
  // Row r leaves the first r values of k out. Requires: depth >= rows.
  bool rows_begin_late = false;
  // Row r takes r more values of k than depth.
  bool rows_end_late = false;
  // The chains go on from what `out` holds; else from +0.
  bool continues = false;
  float* out = nullptr;
  int64_t out_stride = 0;
  // How many lanes of the last vector are stored (and loaded to go on).
  int64_t last_lanes = 0;
};

// The accumulators are variables c<row><vector>: SVE's vectors cannot stand in
// an array.
#define LOCKSTEP_FOR_EACH_ROW(F) F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7)
#define LOCKSTEP_FOR_EACH_VECTOR(G, row) \
  if constexpr (kRows > row) {           \
    G(row, 0)                            \
    if constexpr (kVectors > 1) {        \
      G(row, 1)                          \
    }                                    \
    if constexpr (kVectors > 2) {        \
      G(row, 2)                          \
    }                                    \
  }
#define LOCKSTEP_DECLARE(row)             \
  HWY_MAYBE_UNUSED auto c##row##0 = zero; \
  HWY_MAYBE_UNUSED auto c##row##1 = zero; \
  HWY_MAYBE_UNUSED auto c##row##2 = zero;
#define LOCKSTEP_START_ONE(row, vector)                                                        \
  c##row##vector =                                                                             \
      (kVectors == vector + 1 && partial)                                                      \
          ? LoadPartial(d, task.out + row * task.out_stride + vector * lanes, task.last_lanes) \
          : hn::LoadU(d, task.out + row * task.out_stride + vector * lanes);
#define LOCKSTEP_START(row) LOCKSTEP_FOR_EACH_VECTOR(LOCKSTEP_START_ONE, row)
#define LOCKSTEP_STEP_ONE(row, vector) c##row##vector = Fma(a_row, b##vector, c##row##vector);
#define LOCKSTEP_STEP(row)                                \
  if constexpr (kRows > row) {                            \
    const auto a_row = hn::Set(d, a[row * a_row_stride]); \
    LOCKSTEP_FOR_EACH_VECTOR(LOCKSTEP_STEP_ONE, row)      \
  }
#define LOCKSTEP_STEP_BEGUN(row) \
  if (row <= step) {             \
    LOCKSTEP_STEP(row)           \
  }
#define LOCKSTEP_STEP_LEFT(row) \
  if (row >= step) {            \
    LOCKSTEP_STEP(row)          \
  }
#define LOCKSTEP_STORE_ONE(row, vector)                                                \
  if (kVectors == vector + 1 && partial) {                                             \
    StorePartial(c##row##vector, d, task.out + row * task.out_stride + vector * lanes, \
                 task.last_lanes);                                                     \
  } else {                                                                             \
    hn::StoreU(c##row##vector, d, task.out + row * task.out_stride + vector * lanes);  \
  }
#define LOCKSTEP_STORE(row) LOCKSTEP_FOR_EACH_VECTOR(LOCKSTEP_STORE_ONE, row)
#define LOCKSTEP_LOAD_B                                     \
  b0 = hn::LoadU(d, b);                                     \
  if constexpr (kVectors > 1) b1 = hn::LoadU(d, b + lanes); \
  if constexpr (kVectors > 2) b2 = hn::LoadU(d, b + 2 * lanes);

// Long because the accumulators have to stay in registers from start to store.
template <int kRows, int kVectors>
HWY_NOINLINE void ComputeStridedTile(const StridedTileTask& task) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const bool partial = task.last_lanes < lanes;
  const auto zero = hn::Zero(d);
  LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_DECLARE)
  if (task.continues) {
    LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_START)
  }
  HWY_MAYBE_UNUSED auto b0 = zero;
  HWY_MAYBE_UNUSED auto b1 = zero;
  HWY_MAYBE_UNUSED auto b2 = zero;
  const float* HWY_RESTRICT a = task.a;
  const float* HWY_RESTRICT b = task.b;
  const int64_t a_row_stride = task.a_row_stride;
  const int64_t a_depth_stride = task.a_depth_stride;
  const int64_t b_stride = task.b_stride;
  int64_t k = task.depth;
  if (task.rows_begin_late) {
    for (int step = 0; step + 1 < kRows; ++step, --k, a += a_depth_stride, b += b_stride) {
      LOCKSTEP_LOAD_B
      LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_STEP_BEGUN)
    }
  }
  for (; k > 0; --k, a += a_depth_stride, b += b_stride) {
    LOCKSTEP_LOAD_B
    LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_STEP)
  }
  if (task.rows_end_late) {
    for (int step = 1; step < kRows; ++step, a += a_depth_stride, b += b_stride) {
      LOCKSTEP_LOAD_B
      LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_STEP_LEFT)
    }
  }
  LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_STORE)
}

#undef LOCKSTEP_LOAD_B
#undef LOCKSTEP_STORE
#undef LOCKSTEP_STORE_ONE
#undef LOCKSTEP_STEP_LEFT
#undef LOCKSTEP_STEP_BEGUN
#undef LOCKSTEP_STEP
#undef LOCKSTEP_STEP_ONE
#undef LOCKSTEP_START
#undef LOCKSTEP_START_ONE
#undef LOCKSTEP_DECLARE
#undef LOCKSTEP_FOR_EACH_VECTOR
#undef LOCKSTEP_FOR_EACH_ROW

template <int kRows = kStridedRows, int kVectors = kStridedVectors>
HWY_INLINE void ComputeStridedTileOf(int64_t rows, int64_t vectors, const StridedTileTask& task) {
  if constexpr (kVectors > 1) {
    if (vectors < kVectors) return ComputeStridedTileOf<kRows, kVectors - 1>(rows, vectors, task);
  }
  if constexpr (kRows > 1) {
    if (rows < kRows) return ComputeStridedTileOf<kRows - 1, kVectors>(rows, vectors, task);
  }
  ComputeStridedTile<kRows, kVectors>(task);
}

// One row of tiles: up to kStridedRows rows, any number of columns of which the
// last vector may be partial. `task` is that of the first tile; b lies as one
// matrix with row stride b_stride, readable to whole vectors.
HWY_INLINE void ComputeStridedTileRow(int64_t rows, int64_t columns, StridedTileTask task) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(FloatTag()));
  const int64_t tile_columns = kStridedVectors * lanes;
  for (int64_t column = 0; column < columns; column += tile_columns) {
    const int64_t count = HWY_MIN(tile_columns, columns - column);
    const int64_t vectors = (count + lanes - 1) / lanes;
    task.last_lanes = count - (vectors - 1) * lanes;
    ComputeStridedTileOf(rows, vectors, task);
    task.b += tile_columns;
    task.out += tile_columns;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#endif  // per target
