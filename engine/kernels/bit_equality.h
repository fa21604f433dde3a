// What the kernels' tests share: comparison bit by bit, numbers to compute on,
// and a run over every instruction set and thread count.
#ifndef LOCKSTEP_ENGINE_KERNELS_BIT_EQUALITY_H_
#define LOCKSTEP_ENGINE_KERNELS_BIT_EQUALITY_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace lockstep::kernels {

// ThreadSanitizer does not see libgomp's barriers and would report them: one
// thread is all it can judge.
#ifdef __SANITIZE_THREAD__
inline constexpr int kMostTestThreads = 1;
#else
inline constexpr int kMostTestThreads = 4;
#endif

// Equal in every bit; two NaNs are equal whatever their sign and payload, which
// IEEE-754 leaves to the machine and the contract leaves out.
testing::AssertionResult BitEqual(const std::vector<float>& expected,
                                  const std::vector<float>& got);

// Reproducible numbers between -2 and 2.
std::vector<float> RandomFloats(int64_t size, uint64_t seed);
// The same with zeros of both signs, denormals, infinities, NaN and numbers of
// every magnitude strewn in.
std::vector<float> WildFloats(int64_t size, uint64_t seed);

// Calls test() on every instruction set of the machine with 1 to
// kMostTestThreads threads, and on the scalar fallback with 1; restores both settings.
void OnEverySetAndThreadCount(const std::function<void()>& test);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_BIT_EQUALITY_H_
