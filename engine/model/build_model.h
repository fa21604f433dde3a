// From a job's description to the things that train: the one place that joins
// the engine and the job's messages.
//
// Errors of everything here: InvalidArgument made by FieldError
// (field_error.h), whose path names the field, as "model[2].linear".
#ifndef LOCKSTEP_ENGINE_MODEL_BUILD_MODEL_H_
#define LOCKSTEP_ENGINE_MODEL_BUILD_MODEL_H_

#include <memory>

#include "absl/status/statusor.h"
#include "engine/nn/loss.h"
#include "engine/nn/parameter_layout.h"
#include "engine/nn/sequential.h"
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
// axis) and checks that the layers fit each other and the loss (check_loss.h).
absl::StatusOr<ModelPlan> PlanModel(const v1::JobSpec& spec, const Shape& example_shape);

// Shape of one example's output: PlanModel without the layout.
absl::StatusOr<Shape> OutputShape(const v1::JobSpec& spec, const Shape& example_shape);

// The model with initial values drawn from spec.seed; its layers are spec.model
// one to one. Also ResourceExhausted: this machine's memory cannot hold it.
absl::StatusOr<std::unique_ptr<nn::Sequential>> BuildModel(const v1::JobSpec& spec,
                                                           const Shape& example_shape);

absl::StatusOr<std::unique_ptr<nn::Loss>> MakeLoss(const v1::LossChoice& choice);

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_MODEL_BUILD_MODEL_H_
