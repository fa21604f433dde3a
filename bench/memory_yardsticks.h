// Memory bandwidth as kernels meet it: plain passes over arrays that read and
// write as many of them as a kernel does and compute next to nothing, in the
// manner of STREAM. Compiled like the kernels, on the instruction set in use.
//
// Source: McCalpin, "Memory Bandwidth and Machine Balance in Current High
// Performance Computers", 1995.
#ifndef LOCKSTEP_BENCH_MEMORY_YARDSTICKS_H_
#define LOCKSTEP_BENCH_MEMORY_YARDSTICKS_H_

#include <cstdint>

namespace lockstep::kernels {

// How results are written. Streaming ones go around the caches, so that the
// lines they replace need not be read first; each array's address must be a
// multiple of 64 bytes.
enum class Writing { kOrdinary, kStreaming };

// y = 3 x: one array read, one written.
void ScalePass(int64_t size, Writing writing, const float* x, float* y);
// y = a + 3 b: two read, one written.
void TriadPass(int64_t size, Writing writing, const float* a, const float* b, float* y);
// p = p + 3 g, s = s + 3 g, t = t + 3 g: an optimizer's pass, in place; t may be null.
void UpdatePass(int64_t size, const float* g, float* p, float* s, float* t);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_BENCH_MEMORY_YARDSTICKS_H_
