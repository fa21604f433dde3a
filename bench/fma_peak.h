// The machine's fused-multiply-add peak: what a matrix product cannot exceed.
#ifndef LOCKSTEP_BENCH_FMA_PEAK_H_
#define LOCKSTEP_BENCH_FMA_PEAK_H_

#include <cstdint>

namespace lockstep::kernels {

// Runs `rounds` rounds of independent multiply-adds in registers alone, on the
// instruction set in use (instruction_set.h), on each of OpenMP's threads.
// Returns the floating-point operations that this was.
double RunFmaChains(int64_t rounds);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_BENCH_FMA_PEAK_H_
