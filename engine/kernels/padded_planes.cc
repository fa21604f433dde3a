#include "engine/kernels/padded_planes.h"

#include "engine/kernels/highway_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/padded_planes.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h, which sets what they are compiled for.
#include "engine/kernels/vectors-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

// Whole vectors, the last of which overlaps the one before. False: there is not
// a whole one.
template <class D>
HWY_INLINE bool CopyVectors(D d, int64_t count, const float* from, float* to) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  if (count < lanes) return false;
  for (int64_t i = 0; i + lanes <= count; i += lanes) hn::StoreU(hn::LoadU(d, from + i), d, to + i);
  hn::StoreU(hn::LoadU(d, from + count - lanes), d, to + count - lanes);
  return true;
}

HWY_INLINE void CopyRow(int64_t count, const float* from, float* to) {
  if (CopyVectors(FloatTag(), count, from, to)) return;
  if (CopyVectors(hn::CappedTag<float, 8>(), count, from, to)) return;
  if (CopyVectors(hn::CappedTag<float, 4>(), count, from, to)) return;
  for (int64_t i = 0; i < count; ++i) to[i] = from[i];
}

// A row of x, whose elements lie in the planes of several phases.
HWY_INLINE void FillPhases(const PaddedLayout& layout, int64_t row, const float* x, float* plane) {
  float* to = plane + layout.At(layout.top + row, 0);
  if (layout.column_step == 1) return CopyRow(layout.width, x, to + layout.left);
  for (int64_t c = 0; c < layout.width; ++c) {
    const int64_t column = layout.left + c;
    to[column % layout.column_step * layout.phase + column / layout.column_step] = x[c];
  }
}

void FillPlanesOf(const PaddedLayout& layout, int64_t channels, const float* x, float* planes) {
  const bool phases = layout.row_step * layout.column_step > 1;
  for (int64_t channel = 0; channel < channels; ++channel, planes += layout.plane) {
    float* to = planes + layout.top * layout.pitch + layout.left;
    for (int64_t row = 0; row < layout.height; ++row, x += layout.width, to += layout.pitch) {
      if (phases) {
        FillPhases(layout, row, x, planes);
      } else {
        CopyRow(layout.width, x, to);
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <cstring>

#include "engine/kernels/aligned_buffer.h"

namespace lockstep::kernels {
HWY_EXPORT(FillPlanesOf);

float* ReservePlanes(const PaddedLayout& layout, int64_t channels) {
  constexpr int64_t kLongestVector = HWY_MAX_BYTES / sizeof(float);
  static thread_local AlignedBuffer buffer;
  const int64_t size = channels * layout.plane + kLongestVector;
  float* planes = buffer.Reserve(size);
  std::memset(planes, 0, size * sizeof(float));
  return planes;
}

void FillPlanes(const PaddedLayout& layout, int64_t channels, const float* x, float* planes) {
  HWY_DYNAMIC_DISPATCH(FillPlanesOf)(layout, channels, x, planes);
}

}  // namespace lockstep::kernels
#endif  // HWY_ONCE
