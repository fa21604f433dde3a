// FillJobDefaults of job_spec.h: the defaults of job.proto's comments.
#include "engine/model/job_spec.h"
#include "engine/model/layer_fields.h"

namespace lockstep {
namespace {

constexpr uint32_t kDefaultShards = 8;

// Leaves a field alone that is set.
#define LOCKSTEP_DEFAULT(message, field, value) \
  if (!(message)->has_##field()) (message)->set_##field(value)

void FillSource(v1::SourceChoice* source) {
  if (!source->has_csv()) return;
  v1::CsvSource* csv = source->mutable_csv();
  LOCKSTEP_DEFAULT(csv, header, false);
  if (csv->label_column().empty()) csv->set_label_column("-1");
}

void FillData(v1::Data* data) {
  if (data->has_train()) FillSource(data->mutable_train());
  if (data->has_validation()) FillSource(data->mutable_validation());
  if (!data->has_validation()) LOCKSTEP_DEFAULT(data, validation_fraction, 0.0);
  v1::Scaling* scaling = data->mutable_scaling();
  LOCKSTEP_DEFAULT(scaling, divide_by, 1.0f);
  LOCKSTEP_DEFAULT(scaling, mean, 0.0f);
  LOCKSTEP_DEFAULT(scaling, standard_deviation, 1.0f);
}

void FillOptimizer(v1::OptimizerChoice* optimizer) {
  if (optimizer->has_sgd()) {
    v1::Sgd* sgd = optimizer->mutable_sgd();
    LOCKSTEP_DEFAULT(sgd, momentum, 0.0f);
    LOCKSTEP_DEFAULT(sgd, weight_decay, 0.0f);
    LOCKSTEP_DEFAULT(sgd, nesterov, false);
  } else if (optimizer->has_adam()) {
    v1::Adam* adam = optimizer->mutable_adam();
    LOCKSTEP_DEFAULT(adam, learning_rate, 0.001f);
    LOCKSTEP_DEFAULT(adam, beta1, 0.9f);
    LOCKSTEP_DEFAULT(adam, beta2, 0.999f);
    LOCKSTEP_DEFAULT(adam, epsilon, 1e-8f);
    LOCKSTEP_DEFAULT(adam, weight_decay, 0.0f);
  }
}

void FillSchedule(v1::ScheduleChoice* schedule) {
  switch (schedule->schedule_case()) {
    case v1::ScheduleChoice::kStep:
      LOCKSTEP_DEFAULT(schedule->mutable_step(), gamma, 0.1);
      LOCKSTEP_DEFAULT(schedule->mutable_step(), warmup_steps, 0);
      break;
    case v1::ScheduleChoice::kCosine:
      LOCKSTEP_DEFAULT(schedule->mutable_cosine(), final_factor, 0.0);
      LOCKSTEP_DEFAULT(schedule->mutable_cosine(), warmup_steps, 0);
      break;
    case v1::ScheduleChoice::kLinear:
      LOCKSTEP_DEFAULT(schedule->mutable_linear(), final_factor, 0.0);
      LOCKSTEP_DEFAULT(schedule->mutable_linear(), warmup_steps, 0);
      break;
    case v1::ScheduleChoice::kConstant:
    case v1::ScheduleChoice::SCHEDULE_NOT_SET:
      LOCKSTEP_DEFAULT(schedule->mutable_constant(), warmup_steps, 0);
      break;
  }
}

}  // namespace

void FillJobDefaults(v1::JobSpec* spec) {
  FillData(spec->mutable_data());
  FillLayerDefaults(spec);
  if (spec->has_optimizer()) FillOptimizer(spec->mutable_optimizer());
  FillSchedule(spec->mutable_learning_rate_schedule());
  LOCKSTEP_DEFAULT(spec, shards, kDefaultShards);
  LOCKSTEP_DEFAULT(spec, shuffle, true);
  LOCKSTEP_DEFAULT(spec->mutable_workers(), min, 1);
  LOCKSTEP_DEFAULT(spec->mutable_workers(), max, spec->shards());
  LOCKSTEP_DEFAULT(spec->mutable_checkpoint(), interval_steps, 0);
}

#undef LOCKSTEP_DEFAULT

}  // namespace lockstep
