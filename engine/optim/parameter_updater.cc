#include "engine/optim/parameter_updater.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/check.h"
#include "engine/kernels/optimizer_update.h"
#include "engine/kernels/tensor_update.h"

namespace lockstep::optim {
namespace {

// Keeps the factor finite at a norm of 0, as torch does.
constexpr double kNormEpsilon = 1e-6;
constexpr char kAverage[] = "average";

bool IsStatistic(const nn::ParameterSlot& slot) {
  return slot.kind == nn::ParameterKind::kRunningStatistic;
}

}  // namespace

UpdateRules UpdateRules::Uniform(const nn::ParameterLayout& layout,
                                 std::shared_ptr<const Optimizer> optimizer) {
  UpdateRules rules;
  rules.rules.assign(layout.slots().size(), UpdateRule{std::move(optimizer), 1});
  return rules;
}

int UpdateRules::state_count() const {
  int most = 0;
  for (const UpdateRule& rule : rules) {
    if (rule.optimizer != nullptr) most = std::max(most, rule.optimizer->state_count());
  }
  return most;
}

ParameterUpdater::ParameterUpdater(nn::ParameterLayout layout, UpdateRules rules)
    : layout_(std::move(layout)),
      rules_(std::move(rules.rules)),
      clipping_(rules.clipping),
      average_decay_(rules.average_decay),
      needs_whole_gradient_(rules.clipping.max_norm > 0) {
  LOCKSTEP_CHECK_EQ(rules_.size(), layout_.slots().size());
  int states = 0;
  for (size_t slot = 0; slot < rules_.size(); ++slot) {
    const Run run = RunOfSlot(static_cast<int>(slot));
    if (run.rule.optimizer != nullptr) {
      states = std::max(states, run.rule.optimizer->state_count());
      needs_whole_gradient_ |= run.rule.optimizer->granularity() == Granularity::kTensor;
    }
    if (!runs_.empty() && Joins(runs_.back(), run)) {
      runs_.back().end = run.end;
    } else {
      runs_.push_back(run);
    }
  }
  for (int i = 0; i < states; ++i) {
    state_.push_back(Tensor::Zeros(Shape{layout_.total_elements()}));
  }
}

ParameterUpdater::Run ParameterUpdater::RunOfSlot(int slot) const {
  const std::vector<nn::ParameterSlot>& slots = layout_.slots();
  Run run;
  run.slot = slot;
  run.begin = slots[slot].offset_elements;
  run.end = slot + 1 < static_cast<int>(slots.size()) ? slots[slot + 1].offset_elements
                                                      : layout_.total_elements();
  run.is_statistic = IsStatistic(slots[slot]);
  if (run.is_statistic) {
    run.momentum = slots[slot].momentum;
  } else {
    run.rule = rules_[slot];
  }
  return run;
}

bool ParameterUpdater::Joins(const Run& before, const Run& next) const {
  const Optimizer* const optimizer = before.rule.optimizer.get();
  if (optimizer != nullptr && optimizer->granularity() == Granularity::kTensor) return false;
  return optimizer == next.rule.optimizer.get() &&
         before.rule.learning_rate_factor == next.rule.learning_rate_factor &&
         before.is_statistic == next.is_statistic && before.momentum == next.momentum;
}

double ParameterUpdater::ClippingFactor(const UpdateStep& step,
                                        absl::Span<const float> gradient_sum) const {
  if (clipping_.max_norm <= 0) return 1;
  double squares = 0;
  const std::vector<nn::ParameterSlot>& slots = layout_.slots();
  for (size_t i = 0; i < slots.size(); ++i) {
    if (IsStatistic(slots[i]) || rules_[i].optimizer == nullptr) continue;
    squares += kernels::SumOfSquares(
        step.gradient(), gradient_sum.subspan(slots[i].offset_elements, slots[i].element_count));
  }
  const double factor = clipping_.max_norm / (std::sqrt(squares) + kNormEpsilon);
  return factor > 1 ? 1 : factor;
}

void ParameterUpdater::Update(const UpdateStep& given, int64_t begin,
                              absl::Span<const float> gradient_sum,
                              absl::Span<const float> parameter, absl::Span<float> new_parameter) {
  const int64_t end = begin + static_cast<int64_t>(parameter.size());
  LOCKSTEP_CHECK_EQ(gradient_sum.size(), parameter.size());
  LOCKSTEP_CHECK_EQ(new_parameter.size(), parameter.size());
  LOCKSTEP_CHECK(!needs_whole_gradient_ || (begin == 0 && end == layout_.total_elements()),
                 "a piece of the gradient where the whole is needed");
  UpdateStep step = given;
  step.gradient_limit = clipping_.max_value;
  step.gradient_factor = ClippingFactor(step, gradient_sum);
  const auto after = [](int64_t place, const Run& run) { return place < run.end; };
  auto run = std::upper_bound(runs_.begin(), runs_.end(), begin, after);
  for (; run != runs_.end() && run->begin < end; ++run) {
    const int64_t from = std::max(begin, run->begin);
    const int64_t size = std::min(end, run->end) - from;
    UpdateRun(step, *run, from, from + size, gradient_sum.subspan(from - begin, size),
              parameter.subspan(from - begin, size), new_parameter.subspan(from - begin, size));
    if (has_average()) UpdateAverage(*run, from, new_parameter.subspan(from - begin, size));
  }
}

void ParameterUpdater::UpdateRun(const UpdateStep& given, const Run& run, int64_t begin,
                                 int64_t end, absl::Span<const float> gradient_sum,
                                 absl::Span<const float> parameter,
                                 absl::Span<float> new_parameter) {
  if (run.is_statistic) {
    return kernels::RunningStatisticUpdate(run.momentum, static_cast<float>(given.batch_size),
                                           gradient_sum, parameter, new_parameter);
  }
  const Optimizer* const optimizer = run.rule.optimizer.get();
  int64_t size = end - begin;
  if (optimizer != nullptr && optimizer->granularity() == Granularity::kTensor) {
    size = layout_.slots()[run.slot].element_count;  // the padding keeps its zeros
  }
  const int64_t updated = optimizer == nullptr ? 0 : size;
  if (new_parameter.data() != parameter.data()) {
    std::copy(parameter.begin() + updated, parameter.end(), new_parameter.begin() + updated);
  }
  if (optimizer == nullptr) return;
  absl::InlinedVector<absl::Span<float>, 3> state;
  for (int i = 0; i < optimizer->state_count(); ++i) {
    state.push_back(state_[i].span<float>().subspan(begin, size));
  }
  UpdateStep step = given;
  step.learning_rate_factor *= run.rule.learning_rate_factor;
  optimizer->Update(step, gradient_sum.subspan(0, size), parameter.subspan(0, size), state,
                    new_parameter.subspan(0, size));
}

void ParameterUpdater::UpdateAverage(const Run& run, int64_t begin,
                                     absl::Span<const float> parameter) {
  const absl::Span<float> average = average_.span<float>().subspan(begin, parameter.size());
  if (run.rule.optimizer == nullptr) {
    std::copy(parameter.begin(), parameter.end(), average.begin());
    return;
  }
  kernels::WeightedSum(static_cast<float>(average_decay_), average,
                       static_cast<float>(1.0 - average_decay_), parameter, average);
}

void ParameterUpdater::StartAverage(const Tensor& parameters) {
  if (has_average()) average_ = parameters.Clone();
}

std::vector<Tensor> ParameterUpdater::FlatState() const {
  std::vector<Tensor> flat = state_;
  if (has_average()) flat.push_back(average_);
  return flat;
}

std::vector<NamedState> ParameterUpdater::NameState(const std::vector<Tensor>& flat) const {
  std::vector<NamedState> all;
  const std::vector<nn::ParameterSlot>& slots = layout_.slots();
  for (size_t vector = 0; vector < state_.size(); ++vector) {
    for (size_t slot = 0; slot < slots.size(); ++slot) {
      const Optimizer* const optimizer = rules_[slot].optimizer.get();
      if (optimizer == nullptr || IsStatistic(slots[slot])) continue;
      if (optimizer->state_count() <= static_cast<int>(vector)) continue;
      all.push_back({absl::StrCat(optimizer->state_names()[vector], ".", slots[slot].name),
                     layout_.View(flat[vector], static_cast<int>(slot))});
    }
  }
  for (size_t slot = 0; has_average() && slot < slots.size(); ++slot) {
    all.push_back({absl::StrCat(kAverage, ".", slots[slot].name),
                   layout_.View(flat.back(), static_cast<int>(slot))});
  }
  return all;
}

std::string ParameterUpdater::Describe() const {
  std::vector<std::string> descriptions;
  for (const UpdateRule& rule : rules_) {
    if (rule.optimizer == nullptr) continue;
    std::string text = rule.optimizer->Describe();
    if (std::find(descriptions.begin(), descriptions.end(), text) == descriptions.end()) {
      descriptions.push_back(std::move(text));
    }
  }
  return absl::StrJoin(descriptions, ", ");
}

}  // namespace lockstep::optim
