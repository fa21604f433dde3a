#include "engine/model/job_plan.h"

#include <algorithm>

namespace lockstep {

JobPlan JobPlan::For(const v1::JobSpec& spec) {
  JobPlan plan;
  plan.training_examples = spec.data_summary().training_examples();
  plan.validation_examples = spec.data_summary().validation_examples();
  for (int64_t extent : spec.data_summary().label_shape()) {
    plan.labels_per_example *= static_cast<uint64_t>(extent);
  }
  plan.batch_size = spec.batch_size();
  if (spec.consistency().has_local_sgd()) {
    plan.local_steps = spec.consistency().local_sgd().steps();
    plan.batch_size *= plan.local_steps;
  }
  plan.order_matters = spec.consistency().has_async() || spec.consistency().has_bounded_staleness();
  plan.shards = static_cast<int>(spec.shards());
  plan.steps_per_epoch = (plan.training_examples + plan.batch_size - 1) / plan.batch_size;
  plan.total_steps = spec.has_steps() ? spec.steps() : spec.epochs() * plan.steps_per_epoch;
  plan.total_epochs = (plan.total_steps + plan.steps_per_epoch - 1) / plan.steps_per_epoch;
  return plan;
}

StepPlace JobPlan::Place(uint64_t step) const {
  StepPlace place;
  place.epoch = step / steps_per_epoch;
  place.step_in_epoch = step % steps_per_epoch;
  place.first_position = place.step_in_epoch * batch_size;
  place.examples = std::min(batch_size, training_examples - place.first_position);
  return place;
}

bool JobPlan::EndsEpoch(uint64_t committed_steps) const {
  return committed_steps > 0 &&
         (committed_steps % steps_per_epoch == 0 || committed_steps == total_steps);
}

}  // namespace lockstep
