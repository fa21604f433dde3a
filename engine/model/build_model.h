// From a job's description to the things that train: the one place that joins
// the engine and the job's messages.
//
// Errors of everything here: InvalidArgument made by FieldError
// (field_error.h), whose path names the field, as "model[2].linear". Of a
// `custom` layer that `layers` does not have: FailedPrecondition, likewise.
#ifndef LOCKSTEP_ENGINE_MODEL_BUILD_MODEL_H_
#define LOCKSTEP_ENGINE_MODEL_BUILD_MODEL_H_

#include <memory>

#include "absl/status/statusor.h"
#include "engine/model/layer_registry.h"
#include "engine/nn/loss.h"
#include "engine/nn/parameter_layout.h"
#include "engine/nn/sequential.h"
#include "engine/optim/optimizer.h"
#include "engine/optim/schedule.h"
#include "engine/shape.h"
#include "lockstep/v1/job.pb.h"

namespace lockstep {

// What can be said of a model without making it: nothing is allocated, so a
// server can look at any job.
struct ModelPlan {
  Shape output_shape;          // of one example
  nn::ParameterLayout layout;  // the model's parameters, not yet made
};

// Infers all sizes from `example_shape` (one example's features, no batch
// axis) and checks that the layers fit each other and the loss:
//   cross_entropy: the output is [classes], at least data_summary.classes,
//                  which must be known (> 0);
//   mse:           the output is one number, as the data has one label column.
// What is checked against data_summary is skipped where the spec has none.
// `layers`: those that the program was built with besides job.proto's.
absl::StatusOr<ModelPlan> PlanModel(const v1::JobSpec& spec, const Shape& example_shape,
                                    const LayerRegistry& layers = {});

// The model with initial values drawn from spec.seed; its layers are spec.model
// one to one. Also ResourceExhausted: this machine's memory cannot hold it.
absl::StatusOr<std::shared_ptr<nn::Sequential>> BuildModel(const v1::JobSpec& spec,
                                                           const Shape& example_shape,
                                                           const LayerRegistry& layers = {});

// The same without values: for nn::BindParameters.
absl::StatusOr<std::shared_ptr<nn::Sequential>> BuildUnallocatedModel(
    const v1::JobSpec& spec, const Shape& example_shape, const LayerRegistry& layers = {});

// Checks every field's range. Unset optional fields get job.proto's defaults.
// The fields are float32; they stand for the shortest decimal number that
// rounds to them, so that 0.999 means 0.999 in the optimizer's float64 scalars.
absl::StatusOr<std::unique_ptr<optim::Optimizer>> MakeOptimizer(const v1::OptimizerChoice& choice);
// An empty choice is the constant schedule.
absl::StatusOr<optim::Schedule> MakeSchedule(const v1::ScheduleChoice& choice);
absl::StatusOr<std::unique_ptr<nn::Loss>> MakeLoss(const v1::LossChoice& choice);

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_MODEL_BUILD_MODEL_H_
