#include "bench/fma_peak.h"

#include <atomic>

#include "engine/kernels/highway_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/fma_peak.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h, which sets what it is compiled for.
#include "engine/kernels/vectors-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

// 12 independent chains, more than latency x throughput anywhere; returns what
// they come to and sets the floating-point operations done.
float FmaChains(int64_t rounds, double& operations) {
  const FloatTag d;
  const FloatVector factor = hn::Set(d, 0.999f);
  const FloatVector step = hn::Set(d, 0.001f);
  // Each starts elsewhere, or the compiler would find that they are one.
  auto c0 = hn::Set(d, 0.0f), c1 = hn::Set(d, 0.1f), c2 = hn::Set(d, 0.2f);
  auto c3 = hn::Set(d, 0.3f), c4 = hn::Set(d, 0.4f), c5 = hn::Set(d, 0.5f);
  auto c6 = hn::Set(d, 0.6f), c7 = hn::Set(d, 0.7f), c8 = hn::Set(d, 0.8f);
  auto c9 = hn::Set(d, 0.9f), c10 = hn::Set(d, 1.0f), c11 = hn::Set(d, 1.1f);
  for (int64_t i = 0; i < rounds; ++i) {
    c0 = Fma(c0, factor, step), c1 = Fma(c1, factor, step), c2 = Fma(c2, factor, step);
    c3 = Fma(c3, factor, step), c4 = Fma(c4, factor, step), c5 = Fma(c5, factor, step);
    c6 = Fma(c6, factor, step), c7 = Fma(c7, factor, step), c8 = Fma(c8, factor, step);
    c9 = Fma(c9, factor, step), c10 = Fma(c10, factor, step), c11 = Fma(c11, factor, step);
  }
  operations = static_cast<double>(rounds) * 12 * 2 * static_cast<double>(hn::Lanes(d));
  c0 = hn::Add(hn::Add(c0, c1), hn::Add(c2, c3));
  c4 = hn::Add(hn::Add(c4, c5), hn::Add(c6, c7));
  c8 = hn::Add(hn::Add(c8, c9), hn::Add(c10, c11));
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(c0, hn::Add(c4, c8))));
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::kernels {
HWY_EXPORT(FmaChains);

double RunFmaChains(int64_t rounds) {
  static std::atomic<float> sink;  // what nobody needs would not be computed
  double operations = 0;
#pragma omp parallel reduction(+ : operations)
  {
    double own = 0;
    sink.store(HWY_DYNAMIC_DISPATCH(FmaChains)(rounds, own), std::memory_order_relaxed);
    operations += own;
  }
  return operations;
}

}  // namespace lockstep::kernels
#endif  // HWY_ONCE
