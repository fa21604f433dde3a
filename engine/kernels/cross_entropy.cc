#include "engine/kernels/cross_entropy.h"

#include "engine/kernels/highway_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cross_entropy.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h, which sets what they are compiled for.
#include "engine/kernels/reduce-inl.h"
#include "engine/kernels/transcendental-inl.h"
#include "engine/kernels/transcendental.h"
#include "engine/kernels/vectors-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

// The largest element, NaN where there is one. Any order gives the same value
// (of +0 and -0 either, which no later step can tell apart).
HWY_INLINE float RowMaximum(int64_t size, const float* x) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  HWY_ALIGN float kept[HWY_MAX_BYTES / sizeof(float)];
  float maximum = x[0];
  int64_t i = 0;
  if (size >= lanes) {
    auto best = hn::LoadU(d, x);
    for (i = lanes; i + lanes <= size; i += lanes) {
      const auto v = hn::LoadU(d, x + i);
      best = hn::IfThenElse(hn::Or(hn::Gt(v, best), hn::IsNaN(v)), v, best);
    }
    hn::Store(best, d, kept);
    maximum = kept[0];
    for (int64_t lane = 1; lane < lanes; ++lane) {
      if (kept[lane] > maximum || kept[lane] != kept[lane]) maximum = kept[lane];
    }
  }
  for (; i < size; ++i) {
    if (x[i] > maximum || x[i] != x[i]) maximum = x[i];
  }
  return maximum;
}

// `row` [classes] is scratch where probabilities are not wanted.
void SoftmaxCrossEntropyRun(int64_t rows, int64_t classes, const float* logits,
                            const int64_t* labels, float* losses, float* probabilities,
                            int64_t* predictions, float* row) {
  const FloatTag d;
  for (int64_t r = 0; r < rows; ++r) {
    const float* x = logits + r * classes;
    float* e = probabilities != nullptr ? probabilities + r * classes : row;
    const float maximum = RowMaximum(classes, x);
    const float label_gap = maximum - x[labels[r]];
    if (predictions != nullptr) {
      int64_t c = 0;
      if (maximum == maximum) {
        while (x[c] != maximum) ++c;
      }
      predictions[r] = c;
    }
    const FloatVector m = hn::Set(d, maximum);
    Map(classes, x, e, [&](FloatVector v) HWY_ATTR { return ExpOf(d, hn::Sub(v, m)); });
    const float sum = SumRow(classes, e);
    losses[r] = label_gap + Log(sum);
    if (probabilities != nullptr) {
      const FloatVector s = hn::Set(d, sum);
      Map(classes, e, e, [&](FloatVector v) HWY_ATTR { return hn::Div(v, s); });
    }
  }
}

// Off the label p - 0 is p itself.
void SoftmaxCrossEntropyBackwardRun(int64_t rows, int64_t classes, const float* probabilities,
                                    const int64_t* labels, const float* scale, float* dlogits) {
  const FloatTag d;
  for (int64_t r = 0; r < rows; ++r) {
    const float* p = probabilities + r * classes;
    float* out = dlogits + r * classes;
    const float factor = scale != nullptr ? scale[r] : 1.0f;
    const float at_label = (p[labels[r]] - 1.0f) * factor;
    const FloatVector f = hn::Set(d, factor);
    Map(classes, p, out, [&](FloatVector v) HWY_ATTR { return hn::Mul(v, f); });
    out[labels[r]] = at_label;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "engine/check.h"
#include "engine/kernels/aligned_buffer.h"
#include "engine/kernels/parallel.h"

namespace lockstep::kernels {
HWY_EXPORT(SoftmaxCrossEntropyRun);
HWY_EXPORT(SoftmaxCrossEntropyBackwardRun);

void SoftmaxCrossEntropy(int64_t rows, int64_t classes, const float* logits, const int64_t* labels,
                         float* losses, float* probabilities, int64_t* predictions) {
  LOCKSTEP_CHECK(classes >= 1, "cross entropy needs at least one class");
  ParallelRows(rows, classes, [=](int64_t begin, int64_t end) {
    static thread_local AlignedBuffer buffer;
    HWY_DYNAMIC_DISPATCH(SoftmaxCrossEntropyRun)
    (end - begin, classes, logits + begin * classes, labels + begin, losses + begin,
     probabilities == nullptr ? nullptr : probabilities + begin * classes,
     predictions == nullptr ? nullptr : predictions + begin,
     probabilities == nullptr ? buffer.Reserve(classes) : nullptr);
  });
}

void SoftmaxCrossEntropyBackward(int64_t rows, int64_t classes, const float* probabilities,
                                 const int64_t* labels, const float* scale, float* dlogits) {
  ParallelRows(rows, classes, [=](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(SoftmaxCrossEntropyBackwardRun)
    (end - begin, classes, probabilities + begin * classes, labels + begin,
     scale == nullptr ? nullptr : scale + begin, dlogits + begin * classes);
  });
}

}  // namespace lockstep::kernels
#endif  // HWY_ONCE
