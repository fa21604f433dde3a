// The part of a job's specification that says how gradients change parameters:
// its defaults and rules. job_spec.h has the whole.
#ifndef LOCKSTEP_ENGINE_MODEL_OPTIMIZER_SPEC_H_
#define LOCKSTEP_ENGINE_MODEL_OPTIMIZER_SPEC_H_

#include "engine/model/field_checker.h"
#include "lockstep/v1/job.pb.h"

namespace lockstep {

// Sets every default of job.proto that is not set.
void FillOptimizerDefaults(v1::OptimizerChoice* optimizer);
void FillScheduleDefaults(v1::ScheduleChoice* schedule);
// Of optimizer, learning_rate_schedule, parameter_groups and ema.
void FillTrainingDefaults(v1::JobSpec* spec);

// Adds what is wrong with optimizer, learning_rate_schedule, gradient_clipping,
// parameter_groups and ema. Requires: defaults filled in.
void CheckTraining(const v1::JobSpec& spec, FieldChecker* checker);

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_MODEL_OPTIMIZER_SPEC_H_
