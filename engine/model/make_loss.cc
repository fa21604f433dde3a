// The loss from its message.
#include "engine/model/build_model.h"
#include "engine/model/field_error.h"

namespace lockstep {

absl::StatusOr<std::unique_ptr<nn::Loss>> MakeLoss(const v1::LossChoice& choice) {
  switch (choice.loss_case()) {
    case v1::LossChoice::kCrossEntropy:
      return std::make_unique<nn::CrossEntropy>();
    case v1::LossChoice::kMse:
      return std::make_unique<nn::MeanSquaredError>();
    case v1::LossChoice::LOSS_NOT_SET:
      break;
  }
  return FieldError("loss", "missing, want cross_entropy or mse");
}

}  // namespace lockstep
