// Canonical row sums of terms that are computed on the way (squares, products),
// and maps over a row with several operands. Both hand a functor a place in the
// row, from which it loads vectors: whole ones, or the row's last elements.
// Included once per target, by files that include hwy/foreach_target.h.
#if defined(LOCKSTEP_ENGINE_KERNELS_ROW_TERMS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_ENGINE_KERNELS_ROW_TERMS_INL_H_
#undef LOCKSTEP_ENGINE_KERNELS_ROW_TERMS_INL_H_
#else
#define LOCKSTEP_ENGINE_KERNELS_ROW_TERMS_INL_H_
#endif

#include "engine/kernels/reduce-inl.h"
#include "engine/kernels/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

// Elements [index, index + Lanes(d)) of a row.
template <class D>
struct WholeVector {
  D d;
  int64_t index;
  HWY_INLINE hn::Vec<D> Load(const float* row) const { return hn::LoadU(d, row + index); }
  HWY_INLINE void Store(hn::Vec<D> v, float* row) const { hn::StoreU(v, d, row + index); }
  HWY_INLINE void Store(hn::Vec<D> v, float* row, bool streaming) const {
    StoreWhole(v, d, row + index, streaming);
  }
};

// Elements [index, index + count), below a whole vector; the other lanes +0.
template <class D>
struct PartialVector {
  D d;
  int64_t index;
  int64_t count;
  HWY_INLINE hn::Vec<D> Load(const float* row) const { return LoadPartial(d, row + index, count); }
  HWY_INLINE void Store(hn::Vec<D> v, float* row, bool streaming = false) const {
    (void)streaming;  // whole vectors alone
    StorePartial(v, d, row + index, count);
  }
};

// f(place) for every vector of a row.
template <class F>
HWY_INLINE void ForRow(int64_t size, const F& f) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= size; i += lanes) f(WholeVector<FloatTag>{d, i});
  if (i < size) f(PartialVector<FloatTag>{d, i, size - i});
}

// add(place, sum) = sum with the place's terms added, one operation per lane.
// The vector of the 16 lanes at `first`, for a row's last `left` < 16 elements.
template <class D, class F>
HWY_INLINE hn::Vec<D> AddLast(D d, int64_t index, int64_t left, const F& add, hn::Vec<D> sum) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  if (left >= lanes) return add(WholeVector<D>{d, index}, sum);
  if (left <= 0) return sum;
  const auto mask = hn::FirstN(d, static_cast<size_t>(left));
  return hn::IfThenElse(mask, add(PartialVector<D>{d, index, left}, sum), sum);
}

// lanes 0 to 3 folded as the last two steps of the canonical sum.
HWY_INLINE float FoldFour(const float* lanes) {
  return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
}

// The canonical 16-lane sum of a row's terms.
template <class F>
HWY_INLINE float SumTerms(int64_t size, const F& add) {
  const int64_t whole = size / kSumLanes * kSumLanes;
  const int64_t left = size - whole;
#if HWY_TARGET == HWY_SCALAR
  const FloatTag d;
  float lanes[kSumLanes] = {};
  for (int64_t i = 0; i < size; ++i) {
    float& lane = lanes[i % kSumLanes];
    lane = hn::GetLane(add(WholeVector<FloatTag>{d, i}, hn::Set(d, lane)));
  }
  for (int width = kSumLanes / 2; width > 2; width /= 2) {
    for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
  }
  (void)left;
  return FoldFour(lanes);
#else
  using D = hn::CappedTag<float, 16>;
  const D d;
  alignas(64) float lanes[kSumLanes];
  const int64_t step = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  if (step == kSumLanes) {
    auto s0 = hn::Zero(d);
    for (; i < whole; i += kSumLanes) s0 = add(WholeVector<D>{d, i}, s0);
    s0 = AddLast(d, i, left, add, s0);
    hn::Store(s0, d, lanes);
    const hn::CappedTag<float, 4> d4;
    const auto low = hn::Add(hn::Load(d4, lanes), hn::Load(d4, lanes + 8));
    const auto high = hn::Add(hn::Load(d4, lanes + 4), hn::Load(d4, lanes + 12));
    hn::Store(hn::Add(low, high), d4, lanes);
  } else if (step * 2 == kSumLanes) {
    auto s0 = hn::Zero(d);
    auto s1 = s0;
    for (; i < whole; i += kSumLanes) {
      s0 = add(WholeVector<D>{d, i}, s0);
      s1 = add(WholeVector<D>{d, i + 8}, s1);
    }
    s0 = AddLast(d, i, left, add, s0);
    s1 = AddLast(d, i + 8, left - 8, add, s1);
    hn::Store(hn::Add(s0, s1), d, lanes);
    const hn::CappedTag<float, 4> d4;
    hn::Store(hn::Add(hn::Load(d4, lanes), hn::Load(d4, lanes + 4)), d4, lanes);
  } else {
    using D4 = hn::CappedTag<float, 4>;
    const D4 d4;
    auto s0 = hn::Zero(d4);
    auto s1 = s0, s2 = s0, s3 = s0;
    for (; i < whole; i += kSumLanes) {
      s0 = add(WholeVector<D4>{d4, i}, s0);
      s1 = add(WholeVector<D4>{d4, i + 4}, s1);
      s2 = add(WholeVector<D4>{d4, i + 8}, s2);
      s3 = add(WholeVector<D4>{d4, i + 12}, s3);
    }
    s0 = AddLast(d4, i, left, add, s0);
    s1 = AddLast(d4, i + 4, left - 4, add, s1);
    s2 = AddLast(d4, i + 8, left - 8, add, s2);
    s3 = AddLast(d4, i + 12, left - 12, add, s3);
    hn::Store(hn::Add(hn::Add(s0, s2), hn::Add(s1, s3)), d4, lanes);
  }
  return FoldFour(lanes);
#endif
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#endif  // per target
