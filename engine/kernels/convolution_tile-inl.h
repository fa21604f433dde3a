// The register tiles of convolutions: rows x vectors accumulators, one fused
// multiply-add each per tap or position. All of the arithmetic is here.
// Included once per target, by files that include hwy/foreach_target.h.
#if defined(LOCKSTEP_ENGINE_KERNELS_CONVOLUTION_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_ENGINE_KERNELS_CONVOLUTION_TILE_INL_H_
#undef LOCKSTEP_ENGINE_KERNELS_CONVOLUTION_TILE_INL_H_
#else
#define LOCKSTEP_ENGINE_KERNELS_CONVOLUTION_TILE_INL_H_
#endif

#include "engine/kernels/convolution_tiles.h"
#include "engine/kernels/register_tile-inl.h"
#include "engine/kernels/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

// Some rows of a CorrelationTask at some vectors of positions.
struct CorrelationTile {
  const float* weights = nullptr;  // [taps][rows]
  const float* source = nullptr;
  const int32_t* taps = nullptr;
  int64_t tap_count = 0;
  const int32_t* sources = nullptr;  // [vectors]
  const float* bias = nullptr;
  bool relu = false;
  float* out = nullptr;
  int64_t out_stride = 0;
  const int32_t* destinations = nullptr;  // [vectors]
};

#define LOCKSTEP_STEP_ONE(row, vector) c##row##vector = Fma(a_row, b##vector, c##row##vector);
#define LOCKSTEP_STEP(row)                           \
  if constexpr (kRows > row) {                       \
    const auto a_row = hn::Set(d, a[row]);           \
    LOCKSTEP_FOR_EACH_VECTOR(LOCKSTEP_STEP_ONE, row) \
  }
#define LOCKSTEP_BIAS_ONE(row, vector) c##row##vector = hn::Add(c##row##vector, bias_row);
#define LOCKSTEP_BIAS(row)                            \
  if constexpr (kRows > row) {                        \
    const auto bias_row = hn::Set(d, tile.bias[row]); \
    LOCKSTEP_FOR_EACH_VECTOR(LOCKSTEP_BIAS_ONE, row)  \
  }
#define LOCKSTEP_RELU_ONE(row, vector) \
  c##row##vector = hn::IfThenZeroElse(hn::Le(c##row##vector, zero), c##row##vector);
#define LOCKSTEP_RELU(row) LOCKSTEP_FOR_EACH_VECTOR(LOCKSTEP_RELU_ONE, row)
#define LOCKSTEP_STORE_ONE(row, vector) \
  hn::StoreU(c##row##vector, d, tile.out + row * tile.out_stride + tile.destinations[vector]);
#define LOCKSTEP_STORE(row) LOCKSTEP_FOR_EACH_VECTOR(LOCKSTEP_STORE_ONE, row)

// Long because the accumulators have to stay in registers from start to store.
template <int kRows, int kVectors>
HWY_NOINLINE void ComputeCorrelationTile(const CorrelationTile& tile) {
  const FloatTag d;
  const auto zero = hn::Zero(d);
  LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_DECLARE)
  HWY_MAYBE_UNUSED auto b0 = zero;
  HWY_MAYBE_UNUSED auto b1 = zero;
  HWY_MAYBE_UNUSED auto b2 = zero;
  const float* HWY_RESTRICT a = tile.weights;
  const float* HWY_RESTRICT source0 = tile.source + tile.sources[0];
  HWY_MAYBE_UNUSED const float* HWY_RESTRICT source1 =
      tile.source + tile.sources[kVectors > 1 ? 1 : 0];
  HWY_MAYBE_UNUSED const float* HWY_RESTRICT source2 =
      tile.source + tile.sources[kVectors > 2 ? 2 : 0];
  for (int64_t k = 0; k < tile.tap_count; ++k, a += kRows) {
    const int64_t tap = tile.taps[k];
    b0 = hn::LoadU(d, source0 + tap);
    if constexpr (kVectors > 1) b1 = hn::LoadU(d, source1 + tap);
    if constexpr (kVectors > 2) b2 = hn::LoadU(d, source2 + tap);
    LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_STEP)
  }
  if (tile.bias != nullptr) {
    LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_BIAS)
  }
  if (tile.relu) {
    LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_RELU)
  }
  LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_STORE)
}

#undef LOCKSTEP_STORE
#undef LOCKSTEP_STORE_ONE
#undef LOCKSTEP_RELU
#undef LOCKSTEP_RELU_ONE
#undef LOCKSTEP_BIAS
#undef LOCKSTEP_BIAS_ONE
#undef LOCKSTEP_STEP
#undef LOCKSTEP_STEP_ONE

// The same tile with channels as lanes: some positions of a CorrelationTask at
// some vectors of rows.
struct ChannelTile {
  const float* weights = nullptr;  // [taps][vectors * lanes]
  const float* source = nullptr;
  const int32_t* taps = nullptr;
  int64_t tap_count = 0;
  const int32_t* sources = nullptr;  // one per position
  const float* bias = nullptr;       // [vectors * lanes]
  bool relu = false;
  float* out = nullptr;  // [positions][vectors * lanes]
};

#define LOCKSTEP_SOURCE(row)                          \
  HWY_MAYBE_UNUSED const float* HWY_RESTRICT a##row = \
      tile.source + tile.sources[kRows > row ? row : 0];
#define LOCKSTEP_STEP_ONE(row, vector) c##row##vector = Fma(b##vector, a_row, c##row##vector);
#define LOCKSTEP_STEP(row)                           \
  if constexpr (kRows > row) {                       \
    const auto a_row = hn::Set(d, a##row[tap]);      \
    LOCKSTEP_FOR_EACH_VECTOR(LOCKSTEP_STEP_ONE, row) \
  }
#define LOCKSTEP_BIAS_ONE(row, vector) c##row##vector = hn::Add(c##row##vector, b##vector);
#define LOCKSTEP_BIAS(row) LOCKSTEP_FOR_EACH_VECTOR(LOCKSTEP_BIAS_ONE, row)
#define LOCKSTEP_RELU_ONE(row, vector) \
  c##row##vector = hn::IfThenZeroElse(hn::Le(c##row##vector, zero), c##row##vector);
#define LOCKSTEP_RELU(row) LOCKSTEP_FOR_EACH_VECTOR(LOCKSTEP_RELU_ONE, row)
#define LOCKSTEP_STORE_ONE(row, vector) \
  hn::Store(c##row##vector, d, tile.out + (row * kVectors + vector) * lanes);
#define LOCKSTEP_STORE(row) LOCKSTEP_FOR_EACH_VECTOR(LOCKSTEP_STORE_ONE, row)

template <int kRows, int kVectors>
HWY_NOINLINE void ComputeChannelTile(const ChannelTile& tile) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto zero = hn::Zero(d);
  LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_DECLARE)
  LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_SOURCE)
  HWY_MAYBE_UNUSED auto b0 = zero;
  HWY_MAYBE_UNUSED auto b1 = zero;
  HWY_MAYBE_UNUSED auto b2 = zero;
  const float* HWY_RESTRICT b = tile.weights;
  for (int64_t k = 0; k < tile.tap_count; ++k, b += kVectors * lanes) {
    const int64_t tap = tile.taps[k];
    b0 = hn::Load(d, b);
    if constexpr (kVectors > 1) b1 = hn::Load(d, b + lanes);
    if constexpr (kVectors > 2) b2 = hn::Load(d, b + 2 * lanes);
    LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_STEP)
  }
  if (tile.bias != nullptr) {
    b0 = hn::LoadU(d, tile.bias);
    if constexpr (kVectors > 1) b1 = hn::LoadU(d, tile.bias + lanes);
    if constexpr (kVectors > 2) b2 = hn::LoadU(d, tile.bias + 2 * lanes);
    LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_BIAS)
  }
  if (tile.relu) {
    LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_RELU)
  }
  LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_STORE)
}

#undef LOCKSTEP_STORE
#undef LOCKSTEP_STORE_ONE
#undef LOCKSTEP_RELU
#undef LOCKSTEP_RELU_ONE
#undef LOCKSTEP_BIAS
#undef LOCKSTEP_BIAS_ONE
#undef LOCKSTEP_STEP
#undef LOCKSTEP_STEP_ONE
#undef LOCKSTEP_SOURCE

// Some taps of a WeightGradientTask with one panel of channels.
struct WeightGradientTile {
  const float* source = nullptr;
  const int32_t* taps = nullptr;  // one per row of the tile
  int64_t rows = 0;               // of positions
  int64_t columns = 0;
  int64_t pitch = 0;
  const float* upstream = nullptr;  // [positions][vectors * lanes]
  bool first = true;
  float* sums = nullptr;  // [rows of the tile][vectors * lanes]
};

#define LOCKSTEP_SOURCE(row)                          \
  HWY_MAYBE_UNUSED const float* HWY_RESTRICT a##row = \
      tile.source + tile.taps[kRows > row ? row : 0];
#define LOCKSTEP_NEXT_ROW(row) \
  if constexpr (kRows > row) a##row += tile.pitch;
#define LOCKSTEP_START_ONE(row, vector) \
  c##row##vector = hn::Load(d, tile.sums + (row * kVectors + vector) * lanes);
#define LOCKSTEP_START(row) LOCKSTEP_FOR_EACH_VECTOR(LOCKSTEP_START_ONE, row)
#define LOCKSTEP_STEP_ONE(row, vector) c##row##vector = Fma(b##vector, a_row, c##row##vector);
#define LOCKSTEP_STEP(row)                           \
  if constexpr (kRows > row) {                       \
    const auto a_row = hn::Set(d, a##row[i]);        \
    LOCKSTEP_FOR_EACH_VECTOR(LOCKSTEP_STEP_ONE, row) \
  }
#define LOCKSTEP_STORE_ONE(row, vector) \
  hn::Store(c##row##vector, d, tile.sums + (row * kVectors + vector) * lanes);
#define LOCKSTEP_STORE(row) LOCKSTEP_FOR_EACH_VECTOR(LOCKSTEP_STORE_ONE, row)

template <int kRows, int kVectors>
HWY_NOINLINE void ComputeWeightGradientTile(const WeightGradientTile& tile) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto zero = hn::Zero(d);
  LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_DECLARE)
  LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_SOURCE)
  if (!tile.first) {
    LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_START)
  }
  HWY_MAYBE_UNUSED auto b0 = zero;
  HWY_MAYBE_UNUSED auto b1 = zero;
  HWY_MAYBE_UNUSED auto b2 = zero;
  const float* HWY_RESTRICT b = tile.upstream;
  for (int64_t row = 0; row < tile.rows; ++row) {
    for (int64_t i = 0; i < tile.columns; ++i, b += kVectors * lanes) {
      b0 = hn::Load(d, b);
      if constexpr (kVectors > 1) b1 = hn::Load(d, b + lanes);
      if constexpr (kVectors > 2) b2 = hn::Load(d, b + 2 * lanes);
      LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_STEP)
    }
    LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_NEXT_ROW)
  }
  LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_STORE)
}

#undef LOCKSTEP_STORE
#undef LOCKSTEP_STORE_ONE
#undef LOCKSTEP_STEP
#undef LOCKSTEP_STEP_ONE
#undef LOCKSTEP_START
#undef LOCKSTEP_START_ONE
#undef LOCKSTEP_NEXT_ROW
#undef LOCKSTEP_SOURCE

// A smaller tile computes no more than it has.
template <int kRows = kTileRows, int kVectors = kTileVectors>
HWY_INLINE void ComputeTileOf(int64_t rows, int64_t vectors, const CorrelationTile& tile) {
  if constexpr (kVectors > 1) {
    if (vectors < kVectors) return ComputeTileOf<kRows, kVectors - 1>(rows, vectors, tile);
  }
  if constexpr (kRows > 1) {
    if (rows < kRows) return ComputeTileOf<kRows - 1, kVectors>(rows, vectors, tile);
  }
  ComputeCorrelationTile<kRows, kVectors>(tile);
}

template <int kRows = kTileRows, int kVectors = kTileVectors>
HWY_INLINE void ComputeTileOf(int64_t rows, int64_t vectors, const ChannelTile& tile) {
  if constexpr (kVectors > 1) {
    if (vectors < kVectors) return ComputeTileOf<kRows, kVectors - 1>(rows, vectors, tile);
  }
  if constexpr (kRows > 1) {
    if (rows < kRows) return ComputeTileOf<kRows - 1, kVectors>(rows, vectors, tile);
  }
  ComputeChannelTile<kRows, kVectors>(tile);
}

template <int kRows = kTileRows, int kVectors = kTileVectors>
HWY_INLINE void ComputeTileOf(int64_t rows, int64_t vectors, const WeightGradientTile& tile) {
  if constexpr (kVectors > 1) {
    if (vectors < kVectors) return ComputeTileOf<kRows, kVectors - 1>(rows, vectors, tile);
  }
  if constexpr (kRows > 1) {
    if (rows < kRows) return ComputeTileOf<kRows - 1, kVectors>(rows, vectors, tile);
  }
  ComputeWeightGradientTile<kRows, kVectors>(tile);
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#endif  // per target
