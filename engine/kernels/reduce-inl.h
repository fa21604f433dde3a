// The canonical sum of a row: 16 lanes, whatever the vector's length.
// Included once per target, by files that include hwy/foreach_target.h.
#if defined(LOCKSTEP_ENGINE_KERNELS_REDUCE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_ENGINE_KERNELS_REDUCE_INL_H_
#undef LOCKSTEP_ENGINE_KERNELS_REDUCE_INL_H_
#else
#define LOCKSTEP_ENGINE_KERNELS_REDUCE_INL_H_
#endif

#include "engine/kernels/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

inline constexpr int64_t kSumLanes = 16;

// Adds whole groups of 16 elements to the lanes: 16 / Lanes vectors, 1 to 4 of
// them. Named one by one, since SVE's vectors cannot stand in an array.
HWY_INLINE void AddGroups(int64_t groups, const float* x, float* lanes) {
#if HWY_TARGET == HWY_SCALAR
  for (int64_t i = 0; i < groups * kSumLanes; ++i) lanes[i % kSumLanes] += x[i];
#else
  const hn::CappedTag<float, kSumLanes> d;
  const int64_t step = static_cast<int64_t>(hn::Lanes(d));
  if (step == kSumLanes) {
    auto s0 = hn::Load(d, lanes);
    for (; groups > 0; --groups, x += kSumLanes) s0 = hn::Add(s0, hn::LoadU(d, x));
    return hn::Store(s0, d, lanes);
  }
  if (step * 2 == kSumLanes) {
    auto s0 = hn::Load(d, lanes);
    auto s1 = hn::Load(d, lanes + 8);
    for (; groups > 0; --groups, x += kSumLanes) {
      s0 = hn::Add(s0, hn::LoadU(d, x));
      s1 = hn::Add(s1, hn::LoadU(d, x + 8));
    }
    hn::Store(s0, d, lanes);
    return hn::Store(s1, d, lanes + 8);
  }
  const hn::CappedTag<float, 4> d4;
  auto s0 = hn::Load(d4, lanes);
  auto s1 = hn::Load(d4, lanes + 4);
  auto s2 = hn::Load(d4, lanes + 8);
  auto s3 = hn::Load(d4, lanes + 12);
  for (; groups > 0; --groups, x += kSumLanes) {
    s0 = hn::Add(s0, hn::LoadU(d4, x));
    s1 = hn::Add(s1, hn::LoadU(d4, x + 4));
    s2 = hn::Add(s2, hn::LoadU(d4, x + 8));
    s3 = hn::Add(s3, hn::LoadU(d4, x + 12));
  }
  hn::Store(s0, d4, lanes);
  hn::Store(s1, d4, lanes + 4);
  hn::Store(s2, d4, lanes + 8);
  hn::Store(s3, d4, lanes + 12);
#endif
}

HWY_INLINE float SumRow(int64_t size, const float* x) {
  alignas(64) float lanes[kSumLanes] = {};
  const int64_t groups = size / kSumLanes;
  AddGroups(groups, x, lanes);
  const int64_t done = groups * kSumLanes;
  for (int64_t i = done; i < size; ++i) lanes[i - done] += x[i];
  for (int width = kSumLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
  }
  return lanes[0];
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#endif  // per target
