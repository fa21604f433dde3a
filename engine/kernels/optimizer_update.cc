#include "engine/kernels/optimizer_update.h"

#include "engine/kernels/highway_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/optimizer_update.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h, which sets what they are compiled for.
#include "engine/kernels/optimizer_update-inl.h"
#include "engine/kernels/vectors-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

void SgdRun(const SgdStep& step, int64_t size, const float* sum, const float* parameter,
            float* velocity, float* new_parameter) {
  const FloatTag d;
  const FloatVector momentum = hn::Set(d, step.momentum);
  const FloatVector minus_rate = hn::Set(d, -step.learning_rate);
  ForEachVector(size, [&](const auto& load, const auto& store) HWY_ATTR {
    const FloatVector p = load(parameter);
    FloatVector g = Gradient(load(sum), p, step.gradient, step.weight_decay);
    if (step.momentum != 0.0f) {
      const FloatVector v = step.first_step ? g : Fma(momentum, load(velocity), g);
      store(v, velocity);
      g = step.nesterov ? Fma(momentum, v, g) : v;
    }
    store(Fma(minus_rate, g, p), new_parameter);
  });
}

void AdamRun(const AdamStep& step, int64_t size, const float* sum, const float* parameter,
             float* first_moment, float* second_moment, float* greatest, float* new_parameter) {
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
    const FloatVector g = Gradient(load(sum), p, step.gradient, step.weight_decay);
    const FloatVector m = Fma(beta1, load(first_moment), hn::Mul(rest1, g));
    FloatVector v = Fma(beta2, load(second_moment), hn::Mul(hn::Mul(rest2, g), g));
    store(m, first_moment);
    store(v, second_moment);
    if (greatest != nullptr) {
      const FloatVector before = load(greatest);
      v = hn::IfThenElse(hn::Gt(v, before), v, before);
      store(v, greatest);
    }
    const FloatVector denominator = hn::Add(hn::Div(hn::Sqrt(v), root), epsilon);
    store(Fma(minus_step, hn::Div(m, denominator), Decayed(p, step.decay)), new_parameter);
  });
}

void RmspropRun(const RmspropStep& step, int64_t size, const float* sum, const float* parameter,
                float* second_moment, float* mean_gradient, float* velocity, float* new_parameter) {
  const FloatTag d;
  const FloatVector alpha = hn::Set(d, step.alpha);
  const FloatVector rest = hn::Set(d, step.one_minus_alpha);
  const FloatVector epsilon = hn::Set(d, step.epsilon);
  const FloatVector momentum = hn::Set(d, step.momentum);
  const FloatVector minus_rate = hn::Set(d, -step.learning_rate);
  ForEachVector(size, [&](const auto& load, const auto& store) HWY_ATTR {
    const FloatVector p = load(parameter);
    const FloatVector g = Gradient(load(sum), p, step.gradient, step.weight_decay);
    FloatVector c = Fma(alpha, load(second_moment), hn::Mul(hn::Mul(rest, g), g));
    store(c, second_moment);
    if (mean_gradient != nullptr) {
      const FloatVector before = load(mean_gradient);
      const FloatVector mean = Fma(rest, hn::Sub(g, before), before);
      store(mean, mean_gradient);
      c = Fma(hn::Neg(mean), mean, c);
      c = hn::IfThenElse(hn::Lt(c, hn::Zero(d)), hn::Zero(d), c);
    }
    FloatVector u = hn::Div(g, hn::Add(hn::Sqrt(c), epsilon));
    if (step.momentum != 0.0f) {
      u = Fma(momentum, load(velocity), u);
      store(u, velocity);
    }
    store(Fma(minus_rate, u, p), new_parameter);
  });
}

void AdagradRun(const AdagradStep& step, int64_t size, const float* sum, const float* parameter,
                float* sum_of_squares, float* new_parameter) {
  const FloatTag d;
  const FloatVector initial = hn::Set(d, step.initial_sum);
  const FloatVector epsilon = hn::Set(d, step.epsilon);
  const FloatVector minus_rate = hn::Set(d, -step.learning_rate);
  ForEachVector(size, [&](const auto& load, const auto& store) HWY_ATTR {
    const FloatVector p = load(parameter);
    const FloatVector g = Gradient(load(sum), p, step.gradient, step.weight_decay);
    const FloatVector s = Fma(g, g, step.first_step ? initial : load(sum_of_squares));
    store(s, sum_of_squares);
    store(Fma(minus_rate, hn::Div(g, hn::Add(hn::Sqrt(s), epsilon)), p), new_parameter);
  });
}

void AdadeltaRun(const AdadeltaStep& step, int64_t size, const float* sum, const float* parameter,
                 float* second_moment, float* mean_squared_step, float* new_parameter) {
  const FloatTag d;
  const FloatVector rho = hn::Set(d, step.rho);
  const FloatVector rest = hn::Set(d, step.one_minus_rho);
  const FloatVector epsilon = hn::Set(d, step.epsilon);
  const FloatVector minus_rate = hn::Set(d, -step.learning_rate);
  ForEachVector(size, [&](const auto& load, const auto& store) HWY_ATTR {
    const FloatVector p = load(parameter);
    const FloatVector g = Gradient(load(sum), p, step.gradient, step.weight_decay);
    const FloatVector v = Fma(rho, load(second_moment), hn::Mul(hn::Mul(rest, g), g));
    const FloatVector a = load(mean_squared_step);
    const FloatVector ratio = hn::Div(hn::Sqrt(hn::Add(a, epsilon)), hn::Sqrt(hn::Add(v, epsilon)));
    const FloatVector u = hn::Mul(ratio, g);
    store(v, second_moment);
    store(Fma(rho, a, hn::Mul(hn::Mul(rest, u), u)), mean_squared_step);
    store(Fma(minus_rate, u, p), new_parameter);
  });
}

void LionRun(const LionStep& step, int64_t size, const float* sum, const float* parameter,
             float* momentum, float* new_parameter) {
  const FloatTag d;
  const FloatVector beta1 = hn::Set(d, step.beta1);
  const FloatVector beta2 = hn::Set(d, step.beta2);
  const FloatVector rest1 = hn::Set(d, step.one_minus_beta1);
  const FloatVector rest2 = hn::Set(d, step.one_minus_beta2);
  const FloatVector minus_rate = hn::Set(d, -step.learning_rate);
  const FloatVector one = hn::Set(d, 1.0f);
  const FloatVector zero = hn::Zero(d);
  ForEachVector(size, [&](const auto& load, const auto& store) HWY_ATTR {
    const FloatVector p = load(parameter);
    const FloatVector m = load(momentum);
    const FloatVector g = Gradient(load(sum), p, step.gradient, /*weight_decay=*/0.0f);
    const FloatVector c = Fma(beta1, m, hn::Mul(rest1, g));
    const FloatVector below = hn::IfThenElse(hn::Lt(c, zero), hn::Neg(one), c);
    const FloatVector u = hn::IfThenElse(hn::Gt(c, zero), one, below);
    store(Fma(beta2, m, hn::Mul(rest2, g)), momentum);
    store(Fma(minus_rate, u, Decayed(p, step.decay)), new_parameter);
  });
}

void RunningStatisticRun(float momentum, float batch_size, int64_t size, const float* observed,
                         const float* statistic, float* new_statistic) {
  const FloatTag d;
  const FloatVector factor = hn::Set(d, momentum);
  const FloatVector rest = hn::Set(d, 1.0f - momentum);
  const FloatVector examples = hn::Set(d, batch_size);
  Map(size, observed, statistic, new_statistic, [&](FloatVector sum, FloatVector old) HWY_ATTR {
    return Fma(factor, hn::Div(sum, examples), hn::Mul(rest, old));
  });
}

void AddInPlaceRun(int64_t size, float* sum, const float* other) {
  Map(size, sum, other, sum, [](FloatVector a, FloatVector b) HWY_ATTR { return hn::Add(a, b); });
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <initializer_list>

#include "engine/check.h"
#include "engine/kernels/parallel.h"

namespace lockstep::kernels {
HWY_EXPORT(SgdRun);
HWY_EXPORT(AdamRun);
HWY_EXPORT(RmspropRun);
HWY_EXPORT(AdagradRun);
HWY_EXPORT(AdadeltaRun);
HWY_EXPORT(LionRun);
HWY_EXPORT(RunningStatisticRun);
HWY_EXPORT(AddInPlaceRun);

namespace {

void CheckSizes(size_t want, std::initializer_list<size_t> sizes) {
  for (const size_t size : sizes) LOCKSTEP_CHECK_EQ(size, want);
}

// A state that may be absent, as empty.
float* From(absl::Span<float> state, int64_t begin) {
  return state.empty() ? nullptr : state.data() + begin;
}

}  // namespace

void SgdUpdate(const SgdStep& step, absl::Span<const float> gradient_sum,
               absl::Span<const float> parameter, absl::Span<float> velocity,
               absl::Span<float> new_parameter) {
  CheckSizes(parameter.size(), {gradient_sum.size(), new_parameter.size()});
  if (step.momentum != 0.0f) CheckSizes(parameter.size(), {velocity.size()});
  ParallelElements(parameter.size(), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(SgdRun)
    (step, end - begin, gradient_sum.data() + begin, parameter.data() + begin,
     From(velocity, begin), new_parameter.data() + begin);
  });
}

void AdamUpdate(const AdamStep& step, absl::Span<const float> gradient_sum,
                absl::Span<const float> parameter, absl::Span<float> first_moment,
                absl::Span<float> second_moment, absl::Span<float> greatest_second_moment,
                absl::Span<float> new_parameter) {
  CheckSizes(parameter.size(), {gradient_sum.size(), first_moment.size(), second_moment.size(),
                                new_parameter.size()});
  if (!greatest_second_moment.empty()) {
    CheckSizes(parameter.size(), {greatest_second_moment.size()});
  }
  ParallelElements(parameter.size(), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(AdamRun)
    (step, end - begin, gradient_sum.data() + begin, parameter.data() + begin,
     first_moment.data() + begin, second_moment.data() + begin, From(greatest_second_moment, begin),
     new_parameter.data() + begin);
  });
}

void RmspropUpdate(const RmspropStep& step, absl::Span<const float> gradient_sum,
                   absl::Span<const float> parameter, absl::Span<float> second_moment,
                   absl::Span<float> mean_gradient, absl::Span<float> velocity,
                   absl::Span<float> new_parameter) {
  CheckSizes(parameter.size(), {gradient_sum.size(), second_moment.size(), new_parameter.size()});
  if (!mean_gradient.empty()) CheckSizes(parameter.size(), {mean_gradient.size()});
  if (step.momentum != 0.0f) CheckSizes(parameter.size(), {velocity.size()});
  ParallelElements(parameter.size(), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(RmspropRun)
    (step, end - begin, gradient_sum.data() + begin, parameter.data() + begin,
     second_moment.data() + begin, From(mean_gradient, begin), From(velocity, begin),
     new_parameter.data() + begin);
  });
}

void AdagradUpdate(const AdagradStep& step, absl::Span<const float> gradient_sum,
                   absl::Span<const float> parameter, absl::Span<float> sum_of_squares,
                   absl::Span<float> new_parameter) {
  CheckSizes(parameter.size(), {gradient_sum.size(), sum_of_squares.size(), new_parameter.size()});
  ParallelElements(parameter.size(), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(AdagradRun)
    (step, end - begin, gradient_sum.data() + begin, parameter.data() + begin,
     sum_of_squares.data() + begin, new_parameter.data() + begin);
  });
}

void AdadeltaUpdate(const AdadeltaStep& step, absl::Span<const float> gradient_sum,
                    absl::Span<const float> parameter, absl::Span<float> second_moment,
                    absl::Span<float> mean_squared_step, absl::Span<float> new_parameter) {
  CheckSizes(parameter.size(), {gradient_sum.size(), second_moment.size(), mean_squared_step.size(),
                                new_parameter.size()});
  ParallelElements(parameter.size(), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(AdadeltaRun)
    (step, end - begin, gradient_sum.data() + begin, parameter.data() + begin,
     second_moment.data() + begin, mean_squared_step.data() + begin, new_parameter.data() + begin);
  });
}

void LionUpdate(const LionStep& step, absl::Span<const float> gradient_sum,
                absl::Span<const float> parameter, absl::Span<float> momentum,
                absl::Span<float> new_parameter) {
  CheckSizes(parameter.size(), {gradient_sum.size(), momentum.size(), new_parameter.size()});
  ParallelElements(parameter.size(), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(LionRun)
    (step, end - begin, gradient_sum.data() + begin, parameter.data() + begin,
     momentum.data() + begin, new_parameter.data() + begin);
  });
}

void RunningStatisticUpdate(float momentum, float batch_size, absl::Span<const float> observed_sum,
                            absl::Span<const float> statistic, absl::Span<float> new_statistic) {
  CheckSizes(statistic.size(), {observed_sum.size(), new_statistic.size()});
  HWY_DYNAMIC_DISPATCH(RunningStatisticRun)
  (momentum, batch_size, statistic.size(), observed_sum.data(), statistic.data(),
   new_statistic.data());
}

void AddInPlace(absl::Span<float> sum, absl::Span<const float> other) {
  LOCKSTEP_CHECK_EQ(sum.size(), other.size());
  ParallelElements(sum.size(), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(AddInPlaceRun)(end - begin, sum.data() + begin, other.data() + begin);
  });
}

}  // namespace lockstep::kernels
#endif  // HWY_ONCE
