// From a job's description to what changes its parameters.
//
// Requires, everywhere: a specification that ValidateJobSpec (job_spec.h) finds
// nothing wrong with; unset optional fields count as their defaults. Fields of
// float32 stand for the shortest decimal number that rounds to them, so that
// 0.999 means 0.999 in the optimizer's float64 scalars.
#ifndef LOCKSTEP_ENGINE_MODEL_BUILD_OPTIMIZER_H_
#define LOCKSTEP_ENGINE_MODEL_BUILD_OPTIMIZER_H_

#include "absl/status/statusor.h"
#include "engine/nn/parameter_layout.h"
#include "engine/optim/parameter_updater.h"
#include "engine/optim/plateau.h"
#include "engine/optim/schedule.h"
#include "lockstep/v1/job.pb.h"

namespace lockstep {

// optimizer, gradient_clipping, parameter_groups and ema, for the model's
// parameters. Errors: FieldError (field_error.h): a group of parameter_groups
// that gets no parameter; nothing left to train.
absl::StatusOr<optim::UpdateRules> MakeUpdateRules(const v1::JobSpec& spec,
                                                   const nn::ParameterLayout& layout);

// What the server does with a step's sum: MakeUpdateRules, but in local SGD the
// outer optimizer for every trained parameter (and ema), whose gradient is the
// mean of what the shards changed.
absl::StatusOr<optim::UpdateRules> MakeServerRules(const v1::JobSpec& spec,
                                                   const nn::ParameterLayout& layout);
// What a shard does by itself in a step of local SGD: MakeUpdateRules without ema.
absl::StatusOr<optim::UpdateRules> MakeLocalRules(const v1::JobSpec& spec,
                                                  const nn::ParameterLayout& layout);

// An empty choice is the constant schedule.
optim::Schedule MakeSchedule(const v1::ScheduleChoice& choice);
// The state beside a plateau schedule, before the first step; of any other
// schedule one that is never looked at.
optim::Plateau MakePlateau(const v1::ScheduleChoice& choice);

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_MODEL_BUILD_OPTIMIZER_H_
