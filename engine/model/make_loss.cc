// MakeLoss of build_model.h.
#include "engine/model/build_model.h"
#include "engine/model/field_error.h"

namespace lockstep {
namespace {

using nn::TargetLossKind;

// CrossEntropy and NegativeLogLikelihood share these fields.
template <typename Message>
nn::ClassLossSettings SettingsOf(const Message& message) {
  nn::ClassLossSettings settings;
  settings.class_weights.assign(message.class_weights().begin(), message.class_weights().end());
  if (message.has_ignore_index()) settings.ignored_label = message.ignore_index();
  return settings;
}

std::unique_ptr<nn::Loss> TargetLoss(TargetLossKind kind, double parameter = 1) {
  return std::make_unique<nn::TargetLoss>(kind, parameter);
}

}  // namespace

absl::StatusOr<std::unique_ptr<nn::Loss>> MakeLoss(const v1::LossChoice& choice) {
  switch (choice.loss_case()) {
    case v1::LossChoice::kCrossEntropy: {
      nn::ClassLossSettings settings = SettingsOf(choice.cross_entropy());
      settings.label_smoothing = choice.cross_entropy().label_smoothing();
      return std::make_unique<nn::CrossEntropy>(std::move(settings));
    }
    case v1::LossChoice::kNll:
      return std::make_unique<nn::NegativeLogLikelihood>(SettingsOf(choice.nll()));
    case v1::LossChoice::kMse:
      return TargetLoss(TargetLossKind::kMeanSquaredError);
    case v1::LossChoice::kL1:
      return TargetLoss(TargetLossKind::kL1);
    case v1::LossChoice::kHuber:
      return TargetLoss(TargetLossKind::kHuber,
                        choice.huber().has_delta() ? choice.huber().delta() : 1);
    case v1::LossChoice::kBce:
      return TargetLoss(TargetLossKind::kBinaryCrossEntropy);
    case v1::LossChoice::kBceWithLogits: {
      const auto& message = choice.bce_with_logits();
      return TargetLoss(TargetLossKind::kBinaryCrossEntropyWithLogits,
                        message.has_pos_weight() ? message.pos_weight() : 1);
    }
    case v1::LossChoice::kHinge:
      return TargetLoss(TargetLossKind::kHinge);
    case v1::LossChoice::kKlDivergence:
      return TargetLoss(TargetLossKind::kKlDivergence);
    case v1::LossChoice::kCosineEmbedding:
      return TargetLoss(TargetLossKind::kCosineEmbedding);
    case v1::LossChoice::LOSS_NOT_SET:
      break;
  }
  return FieldError("loss", "missing, want cross_entropy, mse or another loss");
}

}  // namespace lockstep
