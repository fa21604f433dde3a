#include "engine/kernels/weighted_cross_entropy.h"

#include "engine/kernels/highway_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/weighted_cross_entropy.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h, which sets what they are compiled for.
#include "engine/kernels/reduce-inl.h"
#include "engine/kernels/vectors-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

// `weights` is never null here. `row` [classes] is scratch.
void WeightCrossEntropyRun(int64_t rows, int64_t classes, const float* logits,
                           const int64_t* labels, const float* weights, float smoothing,
                           float* losses, float* row) {
  const FloatTag d;
  const float on = 1.0f - smoothing, off = smoothing / static_cast<float>(classes);
  for (int64_t r = 0; r < rows; ++r) {
    const float* x = logits + r * classes;
    const float weighted = losses[r] * weights[labels[r]];
    if (smoothing == 0.0f) {
      losses[r] = weighted;
      continue;
    }
    const FloatVector at_label = hn::Set(d, x[labels[r]]), loss = hn::Set(d, losses[r]);
    Map(classes, x, weights, row, [&](FloatVector v, FloatVector w) HWY_ATTR {
      return hn::Mul(hn::Add(loss, hn::Sub(at_label, v)), w);
    });
    row[labels[r]] = weighted;
    losses[r] = (on * weighted) + (off * SumRow(classes, row));
  }
}

void WeightedCrossEntropyBackwardRun(int64_t rows, int64_t classes, const float* probabilities,
                                     const int64_t* labels, const float* weights, float smoothing,
                                     const float* scale, float* dlogits) {
  const FloatTag d;
  const float on = 1.0f - smoothing, off = smoothing / static_cast<float>(classes);
  const FloatVector spread = hn::Set(d, off);
  const float weight_sum = SumRow(classes, weights);
  for (int64_t r = 0; r < rows; ++r) {
    const float* p = probabilities + r * classes;
    float* out = dlogits + r * classes;
    const int64_t label = labels[r];
    const float on_label = on * weights[label];
    const float total = on_label + (off * weight_sum);
    const float at_label = ((p[label] * total) - ((off * weights[label]) + on_label)) * scale[r];
    const FloatVector sum = hn::Set(d, total), factor = hn::Set(d, scale[r]);
    Map(classes, p, weights, out, [&](FloatVector v, FloatVector w) HWY_ATTR {
      return hn::Mul(hn::Sub(hn::Mul(v, sum), hn::Mul(spread, w)), factor);
    });
    out[label] = at_label;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <vector>

#include "engine/kernels/aligned_buffer.h"
#include "engine/kernels/parallel.h"
#include "engine/kernels/reference/losses.h"

namespace lockstep::kernels {
HWY_EXPORT(WeightCrossEntropyRun);
HWY_EXPORT(WeightedCrossEntropyBackwardRun);

namespace {

// The weights, or ones in `buffer`.
const float* WeightsOrOnes(int64_t classes, const float* weights, AlignedBuffer& buffer) {
  if (weights != nullptr) return weights;
  float* ones = buffer.Reserve(classes);
  std::fill_n(ones, classes, 1.0f);
  return ones;
}

}  // namespace

void WeightCrossEntropy(int64_t rows, int64_t classes, const float* logits, const int64_t* labels,
                        const float* weights, float smoothing, float* losses) {
  static thread_local AlignedBuffer ones;
  const float* all = WeightsOrOnes(classes, weights, ones);
  ParallelRows(rows, classes, [=](int64_t begin, int64_t end) {
    static thread_local AlignedBuffer buffer;
    HWY_DYNAMIC_DISPATCH(WeightCrossEntropyRun)
    (end - begin, classes, logits + begin * classes, labels + begin, all, smoothing, losses + begin,
     buffer.Reserve(classes));
  });
}

void WeightCrossEntropy(int64_t rows, int64_t classes, const double* logits, const int64_t* labels,
                        const double* weights, double smoothing, double* losses) {
  reference::WeightCrossEntropy(rows, classes, logits, labels, weights, smoothing, losses);
}

void WeightedCrossEntropyBackward(int64_t rows, int64_t classes, const float* probabilities,
                                  const int64_t* labels, const float* weights, float smoothing,
                                  const float* scale, float* dlogits) {
  static thread_local AlignedBuffer ones;
  const float* all = WeightsOrOnes(classes, weights, ones);
  ParallelRows(rows, classes, [=](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(WeightedCrossEntropyBackwardRun)
    (end - begin, classes, probabilities + begin * classes, labels + begin, all, smoothing,
     scale + begin, dlogits + begin * classes);
  });
}

void WeightedCrossEntropyBackward(int64_t rows, int64_t classes, const double* probabilities,
                                  const int64_t* labels, const double* weights, double smoothing,
                                  const double* scale, double* dlogits) {
  reference::WeightedCrossEntropyBackward(rows, classes, probabilities, labels, weights, smoothing,
                                          scale, dlogits);
}

}  // namespace lockstep::kernels
#endif  // HWY_ONCE
