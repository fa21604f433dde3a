#include "engine/optim/schedule.h"

#include "engine/kernels/transcendental.h"

namespace lockstep::optim {

double Schedule::Factor(uint64_t step, uint64_t total_steps, uint64_t steps_per_epoch) const {
  const bool warming_up = step < warmup_steps;
  const double warmup =
      warming_up ? static_cast<double>(step) / static_cast<double>(warmup_steps) : 1.0;
  if (kind == ScheduleKind::kStep) {
    const uint64_t drops = step / steps_per_epoch / step_size_epochs;
    return warmup * kernels::PowerOfWhole(gamma, drops);
  }
  if (warming_up || kind == ScheduleKind::kConstant) return warmup;
  const double t =
      static_cast<double>(step - warmup_steps) / static_cast<double>(total_steps - warmup_steps);
  const double fall = 1.0 - final_factor;
  if (kind == ScheduleKind::kLinear) return 1.0 - fall * t;
  return final_factor + fall * ((1.0 + kernels::CosPi(t)) / 2.0);
}

}  // namespace lockstep::optim
