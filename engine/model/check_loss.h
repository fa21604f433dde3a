// Whether a loss fits the model's outputs and the data's labels.
#ifndef LOCKSTEP_ENGINE_MODEL_CHECK_LOSS_H_
#define LOCKSTEP_ENGINE_MODEL_CHECK_LOSS_H_

#include <string>

#include "absl/status/status.h"
#include "engine/shape.h"
#include "lockstep/v1/job.pb.h"

namespace lockstep {

// Whether the loss takes int64 labels, classes.
bool HasClassLabels(const v1::LossChoice& loss);

// `outputs`: one example's. `width_path`: the field that decides their width.
// cross_entropy and nll want [..., classes], where ... is data_summary's
// label_shape, with at least data_summary.classes classes and as many
// class_weights as outputs, if any; the others want as many outputs as labels.
// What is checked against data_summary is skipped where the spec has none.
// Errors: FieldError's (field_error.h).
absl::Status CheckLossFits(const v1::JobSpec& spec, const Shape& outputs,
                           const std::string& width_path);

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_MODEL_CHECK_LOSS_H_
