// Which examples each step of a job takes: arithmetic on the job's numbers
// alone, so that server, workers and client agree without asking.
#ifndef LOCKSTEP_ENGINE_MODEL_JOB_PLAN_H_
#define LOCKSTEP_ENGINE_MODEL_JOB_PLAN_H_

#include <cstdint>

#include "lockstep/v1/job.pb.h"

namespace lockstep {

// Where one step stands in its epoch.
struct StepPlace {
  uint64_t epoch = 0;           // from 0
  uint64_t step_in_epoch = 0;   // from 0
  uint64_t first_position = 0;  // of the batch's first example in the epoch's order
  uint64_t examples = 0;        // batch_size, but less in an epoch's last step
};

struct JobPlan {
  // Requires: a valid spec with defaults filled in and its data_summary.
  static JobPlan For(const v1::JobSpec& spec);

  // Requires: step < total_steps (or any step of an endless job).
  StepPlace Place(uint64_t step) const;
  // Whether an epoch (or the job) ends with this many committed steps.
  bool EndsEpoch(uint64_t committed_steps) const;

  uint64_t training_examples = 0;
  uint64_t validation_examples = 0;
  uint64_t labels_per_example = 1;
  uint64_t batch_size = 0;  // of a whole step: in local SGD of all its local steps
  // In local SGD: steps that each shard takes by itself within one step; else 0.
  uint64_t local_steps = 0;
  int shards = 0;
  // Whether shards do not wait for each other, so that the order in which their
  // gradients arrive decides the bits.
  bool order_matters = false;
  uint64_t steps_per_epoch = 0;
  uint64_t total_steps = 0;
  uint64_t total_epochs = 0;  // begun ones: the last may be cut short by `steps`
};

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_MODEL_JOB_PLAN_H_
