#include "engine/kernels/optimizer_update.h"

#include "engine/kernels/highway_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/optimizer_update.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h, which sets what they are compiled for.
#include "engine/kernels/vectors-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

// Calls update(load, store, i) for every vector; load and store take care of
// the last, partial one.
template <class F>
HWY_INLINE void ForEachVector(int64_t size, const F& update) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    update([&](const float* from) HWY_ATTR { return hn::LoadU(d, from + i); },
           [&](FloatVector v, float* to) HWY_ATTR { hn::StoreU(v, d, to + i); });
  }
  if (i == size) return;
  update([&](const float* from) HWY_ATTR { return LoadPartial(d, from + i, size - i); },
         [&](FloatVector v, float* to) HWY_ATTR { StorePartial(v, d, to + i, size - i); });
}

// g = sum / batch_size, with the weight decay's part.
HWY_INLINE FloatVector Gradient(FloatVector sum, FloatVector parameter, float batch_size,
                                float weight_decay) {
  const FloatTag d;
  const FloatVector g = hn::Div(sum, hn::Set(d, batch_size));
  return weight_decay != 0.0f ? Fma(hn::Set(d, weight_decay), parameter, g) : g;
}

void SgdRun(const SgdStep& step, int64_t size, const float* sum, const float* parameter,
            float* velocity, float* new_parameter) {
  const FloatTag d;
  const FloatVector momentum = hn::Set(d, step.momentum);
  const FloatVector minus_rate = hn::Set(d, -step.learning_rate);
  ForEachVector(size, [&](const auto& load, const auto& store) HWY_ATTR {
    const FloatVector p = load(parameter);
    FloatVector g = Gradient(load(sum), p, step.batch_size, step.weight_decay);
    if (step.momentum != 0.0f) {
      const FloatVector v = step.first_step ? g : Fma(momentum, load(velocity), g);
      store(v, velocity);
      g = step.nesterov ? Fma(momentum, v, g) : v;
    }
    store(Fma(minus_rate, g, p), new_parameter);
  });
}

void AdamRun(const AdamStep& step, int64_t size, const float* sum, const float* parameter,
             float* first_moment, float* second_moment, float* new_parameter) {
  const FloatTag d;
  const FloatVector beta1 = hn::Set(d, step.beta1);
  const FloatVector beta2 = hn::Set(d, step.beta2);
  const FloatVector rest1 = hn::Set(d, step.one_minus_beta1);
  const FloatVector rest2 = hn::Set(d, step.one_minus_beta2);
  const FloatVector minus_step = hn::Set(d, -step.step_size);
  const FloatVector root = hn::Set(d, step.bias_correction2_root);
  const FloatVector epsilon = hn::Set(d, step.epsilon);
  ForEachVector(size, [&](const auto& load, const auto& store) HWY_ATTR {
    const FloatVector p = load(parameter);
    const FloatVector g = Gradient(load(sum), p, step.batch_size, step.weight_decay);
    const FloatVector m = Fma(beta1, load(first_moment), hn::Mul(rest1, g));
    const FloatVector v = Fma(beta2, load(second_moment), hn::Mul(hn::Mul(rest2, g), g));
    store(m, first_moment);
    store(v, second_moment);
    const FloatVector denominator = hn::Add(hn::Div(hn::Sqrt(v), root), epsilon);
    store(Fma(minus_step, hn::Div(m, denominator), p), new_parameter);
  });
}

void AddInPlaceRun(int64_t size, float* sum, const float* other) {
  Map(size, sum, other, sum, [](FloatVector a, FloatVector b) HWY_ATTR { return hn::Add(a, b); });
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "engine/check.h"
#include "engine/kernels/parallel.h"

namespace lockstep::kernels {
HWY_EXPORT(SgdRun);
HWY_EXPORT(AdamRun);
HWY_EXPORT(AddInPlaceRun);

void SgdUpdate(const SgdStep& step, absl::Span<const float> gradient_sum,
               absl::Span<const float> parameter, absl::Span<float> velocity,
               absl::Span<float> new_parameter) {
  LOCKSTEP_CHECK_EQ(gradient_sum.size(), parameter.size());
  LOCKSTEP_CHECK_EQ(new_parameter.size(), parameter.size());
  const bool has_velocity = step.momentum != 0.0f;
  if (has_velocity) LOCKSTEP_CHECK_EQ(velocity.size(), parameter.size());
  ParallelElements(parameter.size(), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(SgdRun)
    (step, end - begin, gradient_sum.data() + begin, parameter.data() + begin,
     has_velocity ? velocity.data() + begin : nullptr, new_parameter.data() + begin);
  });
}

void AdamUpdate(const AdamStep& step, absl::Span<const float> gradient_sum,
                absl::Span<const float> parameter, absl::Span<float> first_moment,
                absl::Span<float> second_moment, absl::Span<float> new_parameter) {
  LOCKSTEP_CHECK_EQ(gradient_sum.size(), parameter.size());
  LOCKSTEP_CHECK_EQ(first_moment.size(), parameter.size());
  LOCKSTEP_CHECK_EQ(second_moment.size(), parameter.size());
  LOCKSTEP_CHECK_EQ(new_parameter.size(), parameter.size());
  ParallelElements(parameter.size(), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(AdamRun)
    (step, end - begin, gradient_sum.data() + begin, parameter.data() + begin,
     first_moment.data() + begin, second_moment.data() + begin, new_parameter.data() + begin);
  });
}

void AddInPlace(absl::Span<float> sum, absl::Span<const float> other) {
  LOCKSTEP_CHECK_EQ(sum.size(), other.size());
  ParallelElements(sum.size(), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(AddInPlaceRun)(end - begin, sum.data() + begin, other.data() + begin);
  });
}

}  // namespace lockstep::kernels
#endif  // HWY_ONCE
