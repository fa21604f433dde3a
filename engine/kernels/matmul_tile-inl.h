// The register tile of the matrix product: rows x vectors accumulators, one
// fused multiply-add each per k. All of the arithmetic is here.
// Included once per target, by files that include hwy/foreach_target.h.
#if defined(LOCKSTEP_ENGINE_KERNELS_MATMUL_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_ENGINE_KERNELS_MATMUL_TILE_INL_H_
#undef LOCKSTEP_ENGINE_KERNELS_MATMUL_TILE_INL_H_
#else
#define LOCKSTEP_ENGINE_KERNELS_MATMUL_TILE_INL_H_
#endif

#include "engine/kernels/register_tile-inl.h"
#include "engine/kernels/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

struct TileTask {
  // Element (row, k) of A is a[row * a_row_stride + k * a_depth_stride].
  const float* a = nullptr;
  int64_t a_row_stride = 0;
  int64_t a_depth_stride = 0;
  const float* b = nullptr;  // vectors * lanes at b + k * b_stride
  int64_t b_stride = 0;
  int64_t depth = 0;
  // The first accumulators' start; null: +0.
  const float* start = nullptr;
  int64_t start_stride = 0;
  const float* bias = nullptr;      // one per column; null: not added
  const float* row_bias = nullptr;  // one per row; null: not added
  bool relu = false;
  float* out = nullptr;
  int64_t out_stride = 0;
  // How many lanes of the last vector exist in start, bias and out.
  int64_t last_lanes = 0;
};

// `partial`: the last vector exists in part.
template <bool kLast, class D>
HWY_INLINE hn::Vec<D> LoadColumns(D d, const float* from, bool partial, int64_t last_lanes) {
  return kLast && partial ? LoadPartial(d, from, last_lanes) : hn::LoadU(d, from);
}

template <bool kLast, class D>
HWY_INLINE void StoreColumns(hn::Vec<D> v, D d, float* to, bool partial, int64_t last_lanes) {
  if (kLast && partial) {
    StorePartial(v, d, to, last_lanes);
  } else {
    hn::StoreU(v, d, to);
  }
}

#define LOCKSTEP_START_ONE(row, vector)                 \
  c##row##vector = LoadColumns<kVectors == vector + 1>( \
      d, task.start + row * task.start_stride + vector * lanes, partial, task.last_lanes);
#define LOCKSTEP_START(row) LOCKSTEP_FOR_EACH_VECTOR(LOCKSTEP_START_ONE, row)
#define LOCKSTEP_STEP_ONE(row, vector) c##row##vector = Fma(a_row, b##vector, c##row##vector);
#define LOCKSTEP_STEP(row)                                \
  if constexpr (kRows > row) {                            \
    const auto a_row = hn::Set(d, a[row * a_row_stride]); \
    LOCKSTEP_FOR_EACH_VECTOR(LOCKSTEP_STEP_ONE, row)      \
  }
#define LOCKSTEP_BIAS_ONE(row, vector) c##row##vector = hn::Add(c##row##vector, b##vector);
#define LOCKSTEP_BIAS(row) LOCKSTEP_FOR_EACH_VECTOR(LOCKSTEP_BIAS_ONE, row)
#define LOCKSTEP_ROW_BIAS_ONE(row, vector) c##row##vector = hn::Add(c##row##vector, bias_row);
#define LOCKSTEP_ROW_BIAS(row)                            \
  if constexpr (kRows > row) {                            \
    const auto bias_row = hn::Set(d, task.row_bias[row]); \
    LOCKSTEP_FOR_EACH_VECTOR(LOCKSTEP_ROW_BIAS_ONE, row)  \
  }
#define LOCKSTEP_RELU_ONE(row, vector) \
  c##row##vector = hn::IfThenZeroElse(hn::Le(c##row##vector, zero), c##row##vector);
#define LOCKSTEP_RELU(row) LOCKSTEP_FOR_EACH_VECTOR(LOCKSTEP_RELU_ONE, row)
#define LOCKSTEP_STORE_ONE(row, vector)                                                            \
  StoreColumns<kVectors == vector + 1>(c##row##vector, d,                                          \
                                       task.out + row * task.out_stride + vector * lanes, partial, \
                                       task.last_lanes);
#define LOCKSTEP_STORE(row) LOCKSTEP_FOR_EACH_VECTOR(LOCKSTEP_STORE_ONE, row)

// Long because the accumulators have to stay in registers from start to store.
template <int kRows, int kVectors>
HWY_NOINLINE void ComputeTile(const TileTask& task) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const bool partial = task.last_lanes != lanes;
  const auto zero = hn::Zero(d);
  LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_DECLARE)
  if (task.start != nullptr) {
    LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_START)
  }
  HWY_MAYBE_UNUSED auto b0 = zero;
  HWY_MAYBE_UNUSED auto b1 = zero;
  HWY_MAYBE_UNUSED auto b2 = zero;
  const float* HWY_RESTRICT a = task.a;
  const float* HWY_RESTRICT b = task.b;
  const int64_t a_row_stride = task.a_row_stride, a_depth_stride = task.a_depth_stride;
  const int64_t b_stride = task.b_stride;
  for (int64_t k = task.depth; k > 0; --k, a += a_depth_stride, b += b_stride) {
    b0 = hn::LoadU(d, b);
    if constexpr (kVectors > 1) b1 = hn::LoadU(d, b + lanes);
    if constexpr (kVectors > 2) b2 = hn::LoadU(d, b + 2 * lanes);
    LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_STEP)
  }
  if (task.bias != nullptr) {
    b0 = LoadColumns<kVectors == 1>(d, task.bias, partial, task.last_lanes);
    if constexpr (kVectors > 1) {
      b1 = LoadColumns<kVectors == 2>(d, task.bias + lanes, partial, task.last_lanes);
    }
    if constexpr (kVectors > 2) {
      b2 = LoadColumns<kVectors == 3>(d, task.bias + 2 * lanes, partial, task.last_lanes);
    }
    LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_BIAS)
  }
  if (task.row_bias != nullptr) {
    LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_ROW_BIAS)
  }
  if (task.relu) {
    LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_RELU)
  }
  LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_STORE)
}

#undef LOCKSTEP_STORE
#undef LOCKSTEP_STORE_ONE
#undef LOCKSTEP_RELU
#undef LOCKSTEP_RELU_ONE
#undef LOCKSTEP_ROW_BIAS
#undef LOCKSTEP_ROW_BIAS_ONE
#undef LOCKSTEP_BIAS
#undef LOCKSTEP_BIAS_ONE
#undef LOCKSTEP_STEP
#undef LOCKSTEP_STEP_ONE
#undef LOCKSTEP_START
#undef LOCKSTEP_START_ONE

// A tile at the edge of C has fewer rows or vectors, and computes no more.
template <int kRows = kTileRows, int kVectors = kTileVectors>
HWY_INLINE void ComputeTileOf(int64_t rows, int64_t vectors, const TileTask& task) {
  if constexpr (kVectors > 1) {
    if (vectors < kVectors) return ComputeTileOf<kRows, kVectors - 1>(rows, vectors, task);
  }
  if constexpr (kRows > 1) {
    if (rows < kRows) return ComputeTileOf<kRows - 1, kVectors>(rows, vectors, task);
  }
  ComputeTile<kRows, kVectors>(task);
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#endif  // per target
