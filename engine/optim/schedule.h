// The learning rate's factor by step: a pure function of the step's number.
#ifndef LOCKSTEP_ENGINE_OPTIM_SCHEDULE_H_
#define LOCKSTEP_ENGINE_OPTIM_SCHEDULE_H_

#include <cstdint>

namespace lockstep::optim {

enum class ScheduleKind {
  kConstant,  // 1
  kStep,      // gamma^floor(epoch / step_size_epochs)
  kCosine,    // final + (1 - final) * (1 + cos(pi * t)) / 2
  kLinear,    // 1 - (1 - final) * t
};

// t runs from 0 at the first step after the warm-up to 1 after the last step:
// t = (step - warmup_steps) / (total_steps - warmup_steps).
struct Schedule {
  ScheduleKind kind = ScheduleKind::kConstant;
  // The first steps' factor is step / warmup_steps (0 at step 0), times what
  // a kStep schedule gives.
  uint64_t warmup_steps = 0;
  uint64_t step_size_epochs = 1;  // kStep: epochs between drops, >= 1
  double gamma = 0.1;             // kStep: factor of each drop, > 0
  double final_factor = 0;        // kCosine, kLinear: where it ends, 0 to 1

  // Requires: step < total_steps (kCosine, kLinear), steps_per_epoch >= 1.
  // Order: float64, each operation rounded once, PowerOfWhole and CosPi of
  // kernels/transcendental.h.
  double Factor(uint64_t step, uint64_t total_steps, uint64_t steps_per_epoch) const;
};

}  // namespace lockstep::optim

#endif  // LOCKSTEP_ENGINE_OPTIM_SCHEDULE_H_
