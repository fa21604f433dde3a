// The shape of the register tiles, and the macros that name their accumulators.
// Included once per target, by files that include hwy/foreach_target.h.
#if defined(LOCKSTEP_ENGINE_KERNELS_REGISTER_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_ENGINE_KERNELS_REGISTER_TILE_INL_H_
#undef LOCKSTEP_ENGINE_KERNELS_REGISTER_TILE_INL_H_
#else
#define LOCKSTEP_ENGINE_KERNELS_REGISTER_TILE_INL_H_
#endif

#include "engine/kernels/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

// Accumulators, the vectors of one operand and one of the other must fit in the
// registers: 16 on AVX2 (12 + 2 + 1), 32 on AVX-512 and ARM (24 + 3 + 1). The
// loop wants at least latency x throughput (4 x 2) accumulators.
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_SCALAR
inline constexpr int kTileRows = 6;
inline constexpr int kTileVectors = 2;
#else
inline constexpr int kTileRows = 8;
inline constexpr int kTileVectors = 3;
#endif

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

// The accumulators are variables c<row><vector>, since SVE's vectors cannot
// stand in an array, and since what has a name stays in a register. `F(row)` is
// expanded for every row, `G(row, vector)` for every accumulator of a row; in a
// function with the template parameters kRows and kVectors the compiler drops
// those that a smaller tile does not have.
#ifndef LOCKSTEP_FOR_EACH_ROW
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
#endif  // LOCKSTEP_FOR_EACH_ROW

#endif  // per target
