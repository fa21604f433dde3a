// The learning rate's factor by step: a pure function of the step's number,
// but for kPlateau, whose state lies beside it (plateau.h).
#ifndef LOCKSTEP_ENGINE_OPTIM_SCHEDULE_H_
#define LOCKSTEP_ENGINE_OPTIM_SCHEDULE_H_

#include <cstdint>
#include <vector>

namespace lockstep::optim {

// s: the step from 0; epoch: floor(s / steps per epoch); w: warmup_steps;
// t = (s - w) / (total steps - w), from 0 after the warm-up to below 1.
enum class ScheduleKind {
  kConstant,           // 1
  kStep,               // gamma^floor(epoch / step_size_epochs)
  kMultistep,          // gamma^(milestones <= epoch)
  kExponential,        // gamma^epoch
  kCosine,             // final + (1 - final) * (1 + cos(pi * t)) / 2
  kCosineRestarts,     // as kCosine, t from 0 to 1 in each cycle
  kLinear,             // 1 - (1 - final) * t
  kOneCycle,           // from 1 / initial_divisor up to 1, then down; two half cosines
  kInverseSquareRoot,  // sqrt(w' / max(s + 1, w')), w' = max(w, 1)
  kPlateau,            // Plateau::factor
};

struct Schedule {
  ScheduleKind kind = ScheduleKind::kConstant;
  // The first steps' factor rises in a line: (s + 1) / w, so that no step is
  // lost and step w - 1 has 1 (torch's LinearLR with start_factor 1 / w). It
  // multiplies what the epochs give (kStep, kMultistep, kExponential, kPlateau).
  // kOneCycle has its own rise and no warm-up.
  uint64_t warmup_steps = 0;
  uint64_t step_size_epochs = 1;     // kStep: epochs between drops, >= 1
  std::vector<uint64_t> milestones;  // kMultistep: epochs of the drops, ascending
  double gamma = 0.1;                // kStep, kMultistep, kExponential: factor of a drop, > 0
  double final_factor = 0;           // kCosine, kCosineRestarts, kLinear: the end, 0 to 1
  uint64_t first_cycle_steps = 1;    // kCosineRestarts: >= 1
  uint64_t cycle_multiplier = 1;     // kCosineRestarts: a cycle's length by the one before, >= 1
  double warmup_fraction = 0.3;      // kOneCycle: the rise's part of all steps, 0 to 1
  double initial_divisor = 25;       // kOneCycle: it starts at 1 / this, > 0
  double final_divisor = 10000;      // kOneCycle: it ends at the start / this, > 0

  // plateau_factor: Plateau's state, for kPlateau.
  // Requires: step < total_steps, steps_per_epoch >= 1.
  // Order: float64, each operation rounded once, PowerOfWhole and CosPi of
  // kernels/transcendental.h; docs/arithmetic.md.
  double Factor(uint64_t step, uint64_t total_steps, uint64_t steps_per_epoch,
                double plateau_factor = 1) const;

 private:
  double AfterWarmup(uint64_t step, uint64_t total_steps) const;
  double OneCycle(uint64_t step, uint64_t total_steps) const;
  double Restarts(uint64_t step) const;
};

}  // namespace lockstep::optim

#endif  // LOCKSTEP_ENGINE_OPTIM_SCHEDULE_H_
