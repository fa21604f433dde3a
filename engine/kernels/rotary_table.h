// The angles of rotary position embedding (Su and others, RoFormer, 2021) in
// canonical arithmetic: the table that attention.h rotates q and k by.
#ifndef LOCKSTEP_ENGINE_KERNELS_ROTARY_TABLE_H_
#define LOCKSTEP_ENGINE_KERNELS_ROTARY_TABLE_H_

#include <cstdint>

namespace lockstep::kernels {

// Cosine and sine of position * base^(-2 c / head_dim).
// Shapes: cosines, sines [positions, head_dim / 2].
// Requires: an even head_dim, base > 0.
// Order, float64, rounded to float32 once at the end:
//   turn = (position * PowerOfPositive(base, (-2 c) / head_dim)) / pi
//   rest = turn - 2 * floor(turn / 2)                    in [0, 2)
//   cosine = CosPi(rest > 1 ? 2 - rest : rest)
//   away = |rest - 0.5|;  sine = CosPi(away > 1 ? 2 - away : away)
void FillRotaryTable(int64_t positions, int64_t head_dim, double base, float* cosines,
                     float* sines);
// Not rounded.
void FillRotaryTable(int64_t positions, int64_t head_dim, double base, double* cosines,
                     double* sines);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_ROTARY_TABLE_H_
