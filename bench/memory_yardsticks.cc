#include "bench/memory_yardsticks.h"

#include "engine/kernels/highway_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/memory_yardsticks.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h, which sets what it is compiled for.
#include "engine/kernels/vectors-inl.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

// out[i] = f(i) for whole vectors: sizes are multiples of 16 here.
template <class F>
HWY_INLINE void WritePass(int64_t size, Writing writing, float* out, const F& f) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  if (writing == Writing::kOrdinary) {
    for (int64_t i = 0; i < size; i += lanes) hn::StoreU(f(i), d, out + i);
    return;
  }
  for (int64_t i = 0; i < size; i += lanes) hn::Stream(f(i), d, out + i);
  hwy::FlushStream();
}

void ScaleRun(int64_t size, Writing writing, const float* x, float* y) {
  const FloatTag d;
  const FloatVector three = hn::Set(d, 3.0f);
  WritePass(size, writing, y, [=](int64_t i) { return hn::Mul(three, hn::LoadU(d, x + i)); });
}

void TriadRun(int64_t size, Writing writing, const float* a, const float* b, float* y) {
  const FloatTag d;
  const FloatVector three = hn::Set(d, 3.0f);
  WritePass(size, writing, y,
            [=](int64_t i) { return Fma(three, hn::LoadU(d, b + i), hn::LoadU(d, a + i)); });
}

void UpdateRun(int64_t size, const float* g, float* p, float* s, float* t) {
  const FloatTag d;
  const FloatVector three = hn::Set(d, 3.0f);
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < size; i += lanes) {
    const FloatVector step = hn::LoadU(d, g + i);
    hn::StoreU(Fma(three, step, hn::LoadU(d, p + i)), d, p + i);
    hn::StoreU(Fma(three, step, hn::LoadU(d, s + i)), d, s + i);
    if (t != nullptr) hn::StoreU(Fma(three, step, hn::LoadU(d, t + i)), d, t + i);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "engine/kernels/parallel.h"

namespace lockstep::kernels {
HWY_EXPORT(ScaleRun);
HWY_EXPORT(TriadRun);
HWY_EXPORT(UpdateRun);

void ScalePass(int64_t size, Writing writing, const float* x, float* y) {
  ParallelElements(size, [=](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(ScaleRun)(end - begin, writing, x + begin, y + begin);
  });
}

void TriadPass(int64_t size, Writing writing, const float* a, const float* b, float* y) {
  ParallelElements(size, [=](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(TriadRun)(end - begin, writing, a + begin, b + begin, y + begin);
  });
}

void UpdatePass(int64_t size, const float* g, float* p, float* s, float* t) {
  ParallelElements(size, [=](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(UpdateRun)
    (end - begin, g + begin, p + begin, s + begin, t == nullptr ? nullptr : t + begin);
  });
}

}  // namespace lockstep::kernels
#endif  // HWY_ONCE
