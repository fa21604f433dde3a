// The register tile of a convolution's weight gradient: taps x vectors of channels,
// one fused multiply-add each per position. All of the arithmetic is here.
// Included once per target, by files that include hwy/foreach_target.h.
#if defined(LOCKSTEP_ENGINE_KERNELS_CONVOLUTION_GRADIENT_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_ENGINE_KERNELS_CONVOLUTION_GRADIENT_TILE_INL_H_
#undef LOCKSTEP_ENGINE_KERNELS_CONVOLUTION_GRADIENT_TILE_INL_H_
#else
#define LOCKSTEP_ENGINE_KERNELS_CONVOLUTION_GRADIENT_TILE_INL_H_
#endif

#include "engine/kernels/convolution_tiles.h"
#include "engine/kernels/register_tile-inl.h"
#include "engine/kernels/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

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
