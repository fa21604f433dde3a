// Which Highway targets the kernels are compiled for. Include it before any
// header of Highway, in every .cc that uses it: all must agree.
//
// x86: AVX3 (AVX-512), AVX2 and, as the baseline that Highway insists on, plain
// scalar code whose fma is std::fma: right, slow, and refused at start. ARM:
// NEON, SVE, SVE2. The others would cost compile time and add no machine.
#ifndef LOCKSTEP_ENGINE_KERNELS_HIGHWAY_TARGETS_H_
#define LOCKSTEP_ENGINE_KERNELS_HIGHWAY_TARGETS_H_

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_SVE_256 | HWY_SVE2_128)

#endif  // LOCKSTEP_ENGINE_KERNELS_HIGHWAY_TARGETS_H_
