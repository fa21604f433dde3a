// What the kernels add to Highway: a multiply-add that is fused on every target,
// and vectors of which only the first lanes are in memory.
// Included once per target, by files that include hwy/foreach_target.h.
#if defined(LOCKSTEP_ENGINE_KERNELS_VECTORS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_ENGINE_KERNELS_VECTORS_INL_H_
#undef LOCKSTEP_ENGINE_KERNELS_VECTORS_INL_H_
#else
#define LOCKSTEP_ENGINE_KERNELS_VECTORS_INL_H_
#endif

#include <cmath>
#include <cstdint>
#include <cstring>

#include "engine/kernels/streaming.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;
using FloatVector = hn::Vec<FloatTag>;

// fma(a, b, c), rounded once. Highway's MulAdd rounds twice where the target
// has no such instruction.
template <class V>
HWY_INLINE V Fma(V a, V b, V c) {
#if HWY_TARGET == HWY_SCALAR
  return V(std::fma(a.raw, b.raw, c.raw));
#else
  return hn::MulAdd(a, b, c);
#endif
}

// The first `count` (below the vector's length) lanes from memory, the others
// +0; reads and writes nothing beyond them.
template <class D>
HWY_INLINE hn::Vec<D> LoadPartial(D d, const float* from, int64_t count) {
#if HWY_TARGET == HWY_AVX2 || !HWY_MEM_OPS_MIGHT_FAULT
  return hn::MaskedLoad(hn::FirstN(d, static_cast<size_t>(count)), d, from);
#else
  HWY_ALIGN float lanes[HWY_MAX_BYTES / sizeof(float)] = {};
  std::memcpy(lanes, from, count * sizeof(float));
  return hn::Load(d, lanes);
#endif
}

template <class D>
HWY_INLINE void StorePartial(hn::Vec<D> v, D d, float* to, int64_t count) {
#if HWY_TARGET == HWY_AVX2 || !HWY_MEM_OPS_MIGHT_FAULT
  hn::BlendedStore(v, hn::FirstN(d, static_cast<size_t>(count)), d, to);
#else
  HWY_ALIGN float lanes[HWY_MAX_BYTES / sizeof(float)];
  hn::Store(v, d, lanes);
  std::memcpy(to, lanes, count * sizeof(float));
#endif
}

// A whole vector to memory; around the caches where `streaming` (streaming.h).
template <class D>
HWY_INLINE void StoreWhole(hn::Vec<D> v, D d, float* to, bool streaming) {
  if (streaming) {
    hn::Stream(v, d, to);
  } else {
    hn::StoreU(v, d, to);
  }
}

// out[i] = f(x[i]): whole vectors, streamed or not, then one partial one through
// the same f. Whoever streams calls hwy::FlushStream() at the end.
template <class F>
HWY_INLINE void MapStreaming(int64_t size, const float* x, float* out, bool streaming, const F& f) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    StoreWhole(f(hn::LoadU(d, x + i)), d, out + i, streaming);
  }
  if (i < size) StorePartial(f(LoadPartial(d, x + i, size - i)), d, out + i, size - i);
}

// out[i] = f(a[i], b[i]).
template <class F>
HWY_INLINE void MapStreaming(int64_t size, const float* a, const float* b, float* out,
                             bool streaming, const F& f) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    StoreWhole(f(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, out + i, streaming);
  }
  if (i < size) {
    const int64_t left = size - i;
    StorePartial(f(LoadPartial(d, a + i, left), LoadPartial(d, b + i, left)), d, out + i, left);
  }
}

// The same, streaming where that pays.
template <class F>
HWY_INLINE void Map(int64_t size, const float* x, float* out, const F& f) {
  const bool streaming = out != x && ShouldStream(size, out);
  MapStreaming(size, x, out, streaming, f);
  if (streaming) hwy::FlushStream();
}
template <class F>
HWY_INLINE void Map(int64_t size, const float* a, const float* b, float* out, const F& f) {
  const bool streaming = out != a && out != b && ShouldStream(size, out);
  MapStreaming(size, a, b, out, streaming, f);
  if (streaming) hwy::FlushStream();
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#endif  // per target
