#include "engine/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/kernels/transcendental.h"

namespace lockstep::optim {
namespace {

double Ratio(uint64_t a, uint64_t b) { return static_cast<double>(a) / static_cast<double>(b); }

// Half a cosine from `from` at t = 0 to `to` at t = 1.
double Cosine(double from, double to, double t) {
  return to + (from - to) * ((1.0 + kernels::CosPi(t)) / 2.0);
}

}  // namespace

double Schedule::Factor(uint64_t step, uint64_t total_steps, uint64_t steps_per_epoch,
                        double plateau_factor) const {
  if (kind == ScheduleKind::kOneCycle) return OneCycle(step, total_steps);
  const bool warming_up = step < warmup_steps;
  const double warmup = warming_up ? Ratio(step + 1, warmup_steps) : 1.0;
  const uint64_t epoch = step / steps_per_epoch;
  switch (kind) {
    case ScheduleKind::kStep:
      return warmup * kernels::PowerOfWhole(gamma, epoch / step_size_epochs);
    case ScheduleKind::kMultistep: {
      const auto next = std::upper_bound(milestones.begin(), milestones.end(), epoch);
      return warmup * kernels::PowerOfWhole(gamma, next - milestones.begin());
    }
    case ScheduleKind::kExponential:
      return warmup * kernels::PowerOfWhole(gamma, epoch);
    case ScheduleKind::kPlateau:
      return warmup * plateau_factor;
    default:
      return warming_up ? warmup : AfterWarmup(step, total_steps);
  }
}

double Schedule::AfterWarmup(uint64_t step, uint64_t total_steps) const {
  const uint64_t since = step - warmup_steps;
  switch (kind) {
    case ScheduleKind::kCosine:
      return Cosine(1.0, final_factor, Ratio(since, total_steps - warmup_steps));
    case ScheduleKind::kCosineRestarts:
      return Restarts(since);
    case ScheduleKind::kLinear:
      return 1.0 - (1.0 - final_factor) * Ratio(since, total_steps - warmup_steps);
    case ScheduleKind::kInverseSquareRoot: {
      const uint64_t reached = std::max<uint64_t>(warmup_steps, 1);
      return std::sqrt(Ratio(reached, std::max(step + 1, reached)));
    }
    default:
      return 1.0;
  }
}

double Schedule::Restarts(uint64_t step) const {
  uint64_t length = first_cycle_steps;
  if (cycle_multiplier == 1) {
    step %= length;
  } else {
    constexpr uint64_t kLongest = std::numeric_limits<uint64_t>::max();
    while (step >= length) {
      step -= length;
      length = length > kLongest / cycle_multiplier ? kLongest : length * cycle_multiplier;
    }
  }
  return Cosine(1.0, final_factor, Ratio(step, length));
}

double Schedule::OneCycle(uint64_t step, uint64_t total_steps) const {
  const double start = 1.0 / initial_divisor;
  const double end = start / final_divisor;
  const double last = static_cast<double>(total_steps) - 1.0;
  const double peak = warmup_fraction * static_cast<double>(total_steps) - 1.0;
  const double at = static_cast<double>(step);
  if (at <= peak) return peak > 0 ? Cosine(start, 1.0, at / peak) : 1.0;
  const double from = std::max(peak, 0.0);
  return last > from ? Cosine(1.0, end, (at - from) / (last - from)) : 1.0;
}

}  // namespace lockstep::optim
