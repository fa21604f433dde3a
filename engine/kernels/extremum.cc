#include "engine/kernels/extremum.h"

#include "engine/kernels/highway_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/extremum.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h, which sets what they are compiled for.
#include "engine/kernels/vectors-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

// Whether x takes best's place: it exceeds it, or is the first NaN.
template <bool kGreatest, class V>
HWY_INLINE auto TakesPlace(V x, V best) {
  const auto exceeds = kGreatest ? hn::Gt(x, best) : hn::Lt(x, best);
  return hn::Or(exceeds, hn::AndNot(hn::IsNaN(best), hn::IsNaN(x)));
}

template <bool kGreatest>
HWY_INLINE bool ScalarTakesPlace(float x, float best) {
  if (x != x) return best == best;
  return kGreatest ? x > best : x < best;
}

// The first place of the extremum of one row: its value by vectors, in any
// order, then the first element that is equal to it.
template <bool kGreatest>
HWY_INLINE int64_t PlaceInRow(int64_t size, const float* x) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  HWY_ALIGN float bests[HWY_MAX_BYTES / sizeof(float)];
  auto best_lanes = hn::Set(d, x[0]);
  int64_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    const auto v = hn::LoadU(d, x + i);
    best_lanes = hn::IfThenElse(TakesPlace<kGreatest>(v, best_lanes), v, best_lanes);
  }
  hn::Store(best_lanes, d, bests);
  float best = bests[0];
  for (int64_t lane = 1; lane < lanes; ++lane) {
    if (ScalarTakesPlace<kGreatest>(bests[lane], best)) best = bests[lane];
  }
  for (; i < size; ++i) {
    if (ScalarTakesPlace<kGreatest>(x[i], best)) best = x[i];
  }
  const bool nan = best != best;
  const auto wanted = hn::Set(d, best);
  int64_t place = 0;
  for (; place + lanes <= size; place += lanes) {
    const auto v = hn::LoadU(d, x + place);
    if (!hn::AllFalse(d, nan ? hn::IsNaN(v) : hn::Eq(v, wanted))) break;
  }
  while (nan ? x[place] == x[place] : x[place] != best) ++place;
  return place;
}

// Columns side by side, of one [extent, after] block.
template <bool kGreatest>
HWY_INLINE void ExtremumOfColumns(int64_t extent, int64_t after, const float* x, float* values,
                                  int64_t* indices) {
  const FloatTag d;
  const hn::RebindToSigned<FloatTag> di;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  HWY_ALIGN int32_t places[HWY_MAX_BYTES / sizeof(int32_t)];
  int64_t a = 0;
  for (; a + lanes <= after; a += lanes) {
    auto best = hn::LoadU(d, x + a);
    auto place = hn::Zero(di);
    for (int64_t i = 1; i < extent; ++i) {
      const auto v = hn::LoadU(d, x + i * after + a);
      const auto take = TakesPlace<kGreatest>(v, best);
      best = hn::IfThenElse(take, v, best);
      place = hn::IfThenElse(hn::RebindMask(di, take), hn::Set(di, static_cast<int32_t>(i)), place);
    }
    hn::StoreU(best, d, values + a);
    hn::Store(place, di, places);
    for (int64_t lane = 0; lane < lanes; ++lane) indices[a + lane] = places[lane];
  }
  for (; a < after; ++a) {
    int64_t best = 0;
    for (int64_t i = 1; i < extent; ++i) {
      if (ScalarTakesPlace<kGreatest>(x[i * after + a], x[best * after + a])) best = i;
    }
    values[a] = x[best * after + a];
    indices[a] = best;
  }
}

template <bool kGreatest>
HWY_INLINE void ExtremumOf(int64_t before, int64_t extent, int64_t after, const float* x,
                           float* values, int64_t* indices) {
  for (int64_t b = 0; b < before; ++b, x += extent * after) {
    if (after == 1) {
      indices[b] = PlaceInRow<kGreatest>(extent, x);
      values[b] = x[indices[b]];
    } else {
      ExtremumOfColumns<kGreatest>(extent, after, x, values + b * after, indices + b * after);
    }
  }
}

void ExtremumRun(ExtremumOp op, int64_t before, int64_t extent, int64_t after, const float* x,
                 float* values, int64_t* indices) {
  if (op == ExtremumOp::kMaximum)
    return ExtremumOf<true>(before, extent, after, x, values, indices);
  ExtremumOf<false>(before, extent, after, x, values, indices);
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "engine/check.h"
#include "engine/kernels/parallel.h"

namespace lockstep::kernels {
HWY_EXPORT(ExtremumRun);

void Extremum(ExtremumOp op, int64_t before, int64_t extent, int64_t after, const float* x,
              float* values, int64_t* indices) {
  LOCKSTEP_CHECK(extent > 0 && extent < (int64_t{1} << 31), "the axis has 1 to 2^31 - 1 elements");
  ParallelRows(before, extent * after, [=](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(ExtremumRun)
    (op, end - begin, extent, after, x + begin * extent * after, values + begin * after,
     indices + begin * after);
  });
}

void ExtremumBackward(int64_t before, int64_t extent, int64_t after, const float* dy,
                      const int64_t* indices, float* dx) {
  ParallelRows(before, extent * after, [=](int64_t begin, int64_t end) {
    std::memset(dx + begin * extent * after, 0, (end - begin) * extent * after * sizeof(float));
    for (int64_t b = begin; b < end; ++b) {
      for (int64_t a = 0; a < after; ++a) {
        const int64_t at = b * after + a;
        dx[(b * extent + indices[at]) * after + a] = dy[at];
      }
    }
  });
}

}  // namespace lockstep::kernels
#endif  // HWY_ONCE
