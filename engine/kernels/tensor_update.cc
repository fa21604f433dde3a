#include "engine/kernels/tensor_update.h"

#include "engine/kernels/highway_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/tensor_update.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h, which sets what they are compiled for.
#include "engine/kernels/optimizer_update-inl.h"
#include "engine/kernels/vectors-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

// Adds the squares of `groups` groups of 16 elements to the lanes.
HWY_INLINE void AddSquares(const GradientScale& scale, int64_t groups, const float* x,
                           double* lanes) {
  const hn::CappedTag<double, 8> d;
  const hn::Rebind<float, decltype(d)> narrow;
  const int step = static_cast<int>(hn::Lanes(d));
  for (int j = 0; j < kSquareLanes; j += step) {
    auto lane = hn::LoadU(d, lanes + j);
    for (int64_t group = 0; group < groups; ++group) {
      const auto sum = hn::LoadU(narrow, x + group * kSquareLanes + j);
      const auto value = hn::PromoteTo(d, Clipped(narrow, sum, scale));
      lane = Fma(value, value, lane);
    }
    hn::StoreU(lane, d, lanes + j);
  }
}

double SquaresOfBlock(const GradientScale& scale, int64_t size, const float* x) {
  double lanes[kSquareLanes] = {};
  // A few groups at once: a lane stays in its register meanwhile, and the next
  // lane's elements are still in cache.
  constexpr int64_t kGroups = 8;
  int64_t i = 0;
  for (; i + kGroups * kSquareLanes <= size; i += kGroups * kSquareLanes) {
    AddSquares(scale, kGroups, x + i, lanes);
  }
  for (; i + kSquareLanes <= size; i += kSquareLanes) AddSquares(scale, 1, x + i, lanes);
  if (i < size) {
    // The sum +0 adds +0 to a lane, which changes none.
    float last[kSquareLanes] = {};
    std::memcpy(last, x + i, (size - i) * sizeof(float));
    AddSquares(scale, 1, last, lanes);
  }
  for (int width = kSquareLanes / 2; width > 0; width /= 2) {
    for (int j = 0; j < width; ++j) lanes[j] += lanes[j + width];
  }
  return lanes[0];
}

void WeightedSumRun(float a, int64_t size, const float* x, float b, const float* y, float* out) {
  const FloatTag d;
  const FloatVector va = hn::Set(d, a);
  const FloatVector vb = hn::Set(d, b);
  Map(size, x, y, out, [&](FloatVector left, FloatVector right) HWY_ATTR {
    return Fma(va, left, hn::Mul(vb, right));
  });
}

void DivideRun(float divisor, int64_t size, float* x) {
  const FloatVector by = hn::Set(FloatTag(), divisor);
  Map(size, x, x, [&](FloatVector value) HWY_ATTR { return hn::Div(value, by); });
}

void LambRun(const LambStep& step, int64_t size, const float* sum, const float* parameter,
             float* first_moment, float* second_moment, float* direction) {
  const FloatTag d;
  const FloatVector beta1 = hn::Set(d, step.beta1);
  const FloatVector beta2 = hn::Set(d, step.beta2);
  const FloatVector rest1 = hn::Set(d, step.one_minus_beta1);
  const FloatVector rest2 = hn::Set(d, step.one_minus_beta2);
  const FloatVector correction1 = hn::Set(d, step.bias_correction1);
  const FloatVector root = hn::Set(d, step.bias_correction2_root);
  const FloatVector epsilon = hn::Set(d, step.epsilon);
  ForEachVector(size, [&](const auto& load, const auto& store) HWY_ATTR {
    const FloatVector p = load(parameter);
    const FloatVector g = Gradient(load(sum), p, step.gradient, /*weight_decay=*/0.0f);
    const FloatVector m = Fma(beta1, load(first_moment), hn::Mul(rest1, g));
    const FloatVector v = Fma(beta2, load(second_moment), hn::Mul(hn::Mul(rest2, g), g));
    store(m, first_moment);
    store(v, second_moment);
    const FloatVector denominator = hn::Add(hn::Div(hn::Sqrt(v), root), epsilon);
    FloatVector u = hn::Div(hn::Div(m, correction1), denominator);
    if (step.weight_decay != 0.0f) u = Fma(hn::Set(d, step.weight_decay), p, u);
    store(u, direction);
  });
}

void MuonRun(const MuonStep& step, int64_t size, const float* sum, float* momentum, float* update) {
  const FloatTag d;
  const FloatVector factor = hn::Set(d, step.momentum);
  const FloatVector rest = hn::Set(d, step.one_minus_momentum);
  ForEachVector(size, [&](const auto& load, const auto& store) HWY_ATTR {
    const FloatVector g = Gradient(load(sum), hn::Zero(d), step.gradient, /*weight_decay=*/0.0f);
    const FloatVector before = load(momentum);
    const FloatVector b = Fma(rest, hn::Sub(g, before), before);
    store(b, momentum);
    store(step.nesterov ? Fma(factor, hn::Sub(b, g), g) : b, update);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <vector>

#include "engine/check.h"
#include "engine/kernels/parallel.h"

namespace lockstep::kernels {
HWY_EXPORT(SquaresOfBlock);
HWY_EXPORT(WeightedSumRun);
HWY_EXPORT(DivideRun);
HWY_EXPORT(LambRun);
HWY_EXPORT(MuonRun);

double SumOfSquares(const GradientScale& scale, absl::Span<const float> sum) {
  const int64_t size = static_cast<int64_t>(sum.size());
  const int64_t blocks = (size + kSquareBlockElements - 1) / kSquareBlockElements;
  thread_local std::vector<double> of_block;
  of_block.resize(std::max<size_t>(of_block.size(), blocks));
  double* const squares = of_block.data();  // the caller's, seen by all threads
  ParallelRuns(blocks, kElementsPerThread / kSquareBlockElements, 1,
               [&](int64_t begin, int64_t end) {
                 for (int64_t block = begin; block < end; ++block) {
                   const int64_t first = block * kSquareBlockElements;
                   squares[block] = HWY_DYNAMIC_DISPATCH(SquaresOfBlock)(
                       scale, std::min(kSquareBlockElements, size - first), sum.data() + first);
                 }
               });
  double total = 0;
  for (int64_t block = 0; block < blocks; ++block) total += squares[block];
  return total;
}

void WeightedSum(float a, absl::Span<const float> x, float b, absl::Span<const float> y,
                 absl::Span<float> out) {
  LOCKSTEP_CHECK_EQ(x.size(), y.size());
  LOCKSTEP_CHECK_EQ(x.size(), out.size());
  ParallelElements(x.size(), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(WeightedSumRun)
    (a, end - begin, x.data() + begin, b, y.data() + begin, out.data() + begin);
  });
}

void DivideInPlace(float divisor, absl::Span<float> x) {
  ParallelElements(x.size(), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(DivideRun)(divisor, end - begin, x.data() + begin);
  });
}

void LambDirection(const LambStep& step, absl::Span<const float> gradient_sum,
                   absl::Span<const float> parameter, absl::Span<float> first_moment,
                   absl::Span<float> second_moment, absl::Span<float> direction) {
  for (const size_t size :
       {gradient_sum.size(), first_moment.size(), second_moment.size(), direction.size()}) {
    LOCKSTEP_CHECK_EQ(size, parameter.size());
  }
  ParallelElements(parameter.size(), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(LambRun)
    (step, end - begin, gradient_sum.data() + begin, parameter.data() + begin,
     first_moment.data() + begin, second_moment.data() + begin, direction.data() + begin);
  });
}

void MuonMomentum(const MuonStep& step, absl::Span<const float> gradient_sum,
                  absl::Span<float> momentum, absl::Span<float> update) {
  LOCKSTEP_CHECK_EQ(gradient_sum.size(), momentum.size());
  LOCKSTEP_CHECK_EQ(gradient_sum.size(), update.size());
  ParallelElements(gradient_sum.size(), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(MuonRun)
    (step, end - begin, gradient_sum.data() + begin, momentum.data() + begin,
     update.data() + begin);
  });
}

}  // namespace lockstep::kernels
#endif  // HWY_ONCE
