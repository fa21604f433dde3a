// The register tiles of forward and input gradient: rows x vectors accumulators,
// one fused multiply-add each per tap. All of the arithmetic is here.
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
  // Bit i: lane i is stored, right behind those before; null: all are. The floats
  // behind what is stored, up to a whole vector, are overwritten.
  const uint64_t* kept_lanes = nullptr;  // [vectors]
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
#define LOCKSTEP_STORE_KEPT_ONE(row, vector)                \
  hn::StoreU(hn::Compress(c##row##vector, kept##vector), d, \
             tile.out + row * tile.out_stride + tile.destinations[vector]);
#define LOCKSTEP_STORE_KEPT(row) LOCKSTEP_FOR_EACH_VECTOR(LOCKSTEP_STORE_KEPT_ONE, row)

// Bit i of `bits`: lane i.
template <class D>
HWY_INLINE hn::Mask<D> LanesOf(D d, const uint64_t* bits) {
  return hn::LoadMaskBits(d, reinterpret_cast<const uint8_t*>(bits));
}

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
  if (tile.kept_lanes == nullptr) {
    LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_STORE)
    return;
  }
  const auto kept0 = LanesOf(d, tile.kept_lanes);
  HWY_MAYBE_UNUSED const auto kept1 = LanesOf(d, tile.kept_lanes + (kVectors > 1 ? 1 : 0));
  HWY_MAYBE_UNUSED const auto kept2 = LanesOf(d, tile.kept_lanes + (kVectors > 2 ? 2 : 0));
  LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_STORE_KEPT)
}

#undef LOCKSTEP_STORE_KEPT
#undef LOCKSTEP_STORE_KEPT_ONE
#undef LOCKSTEP_STORE
#undef LOCKSTEP_STORE_ONE
#undef LOCKSTEP_RELU
#undef LOCKSTEP_RELU_ONE
#undef LOCKSTEP_BIAS
#undef LOCKSTEP_BIAS_ONE
#undef LOCKSTEP_STEP
#undef LOCKSTEP_STEP_ONE

// The tile with channels as lanes: positions x vectors of channels. The channels'
// weights are read once for all of its positions, so it has many of these and few
// vectors, as far as there are registers.
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_SCALAR
inline constexpr int kChannelTilePositions = 6;
#else
inline constexpr int kChannelTilePositions = 14;
#endif
inline constexpr int kChannelTileVectors = 2;

struct ChannelTile {
  const float* weights = nullptr;  // [taps][vectors * lanes]
  const float* source = nullptr;   // of the first position; the others follow it
  const int32_t* taps = nullptr;
  int64_t tap_count = 0;
  const float* bias = nullptr;  // [vectors * lanes]
  bool relu = false;
  float* out = nullptr;  // [positions][vectors * lanes]
};

#define LOCKSTEP_FOR_EACH_POSITION(F) \
  F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12) F(13)
#define LOCKSTEP_DECLARE_POSITION(p)    \
  HWY_MAYBE_UNUSED auto c##p##0 = zero; \
  HWY_MAYBE_UNUSED auto c##p##1 = zero;
#define LOCKSTEP_STEP(p)                                       \
  if constexpr (kPositions > p) {                              \
    const auto a = hn::Set(d, source[p]);                      \
    c##p##0 = Fma(b0, a, c##p##0);                             \
    if constexpr (kVectors > 1) c##p##1 = Fma(b1, a, c##p##1); \
  }
#define LOCKSTEP_BIAS(p)          \
  c##p##0 = hn::Add(c##p##0, b0); \
  c##p##1 = hn::Add(c##p##1, b1);
#define LOCKSTEP_RELU(p)                                        \
  c##p##0 = hn::IfThenZeroElse(hn::Le(c##p##0, zero), c##p##0); \
  c##p##1 = hn::IfThenZeroElse(hn::Le(c##p##1, zero), c##p##1);
#define LOCKSTEP_STORE(p)                                                                     \
  if constexpr (kPositions > p) {                                                             \
    hn::Store(c##p##0, d, tile.out + p * kVectors * lanes);                                   \
    if constexpr (kVectors > 1) hn::Store(c##p##1, d, tile.out + (p * kVectors + 1) * lanes); \
  }

template <int kPositions, int kVectors>
HWY_NOINLINE void ComputeChannelTile(const ChannelTile& tile) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto zero = hn::Zero(d);
  LOCKSTEP_FOR_EACH_POSITION(LOCKSTEP_DECLARE_POSITION)
  auto b0 = zero;
  HWY_MAYBE_UNUSED auto b1 = zero;
  const float* HWY_RESTRICT b = tile.weights;
  for (int64_t k = 0; k < tile.tap_count; ++k, b += kVectors * lanes) {
    const float* HWY_RESTRICT source = tile.source + tile.taps[k];
    b0 = hn::Load(d, b);
    if constexpr (kVectors > 1) b1 = hn::Load(d, b + lanes);
    LOCKSTEP_FOR_EACH_POSITION(LOCKSTEP_STEP)
  }
  if (tile.bias != nullptr) {
    b0 = hn::LoadU(d, tile.bias);
    if constexpr (kVectors > 1) b1 = hn::LoadU(d, tile.bias + lanes);
    LOCKSTEP_FOR_EACH_POSITION(LOCKSTEP_BIAS)
  }
  if (tile.relu) {
    LOCKSTEP_FOR_EACH_POSITION(LOCKSTEP_RELU)
  }
  LOCKSTEP_FOR_EACH_POSITION(LOCKSTEP_STORE)
}

#undef LOCKSTEP_STORE
#undef LOCKSTEP_RELU
#undef LOCKSTEP_BIAS
#undef LOCKSTEP_STEP
#undef LOCKSTEP_DECLARE_POSITION
#undef LOCKSTEP_FOR_EACH_POSITION

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

template <int kPositions = kChannelTilePositions, int kVectors = kChannelTileVectors>
HWY_INLINE void ComputeTileOf(int64_t positions, int64_t vectors, const ChannelTile& tile) {
  if constexpr (kVectors > 1) {
    if (vectors < kVectors) {
      return ComputeTileOf<kPositions, kVectors - 1>(positions, vectors, tile);
    }
  }
  if constexpr (kPositions > 1) {
    if (positions < kPositions) {
      return ComputeTileOf<kPositions - 1, kVectors>(positions, vectors, tile);
    }
  }
  ComputeChannelTile<kPositions, kVectors>(tile);
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#endif  // per target
