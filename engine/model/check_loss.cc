#include "engine/model/check_loss.h"

#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/model/field_error.h"

namespace lockstep {
namespace {

Shape LabelShape(const v1::JobSpec& spec) {
  const auto& extents = spec.data_summary().label_shape();
  return Shape(std::vector<int64_t>(extents.begin(), extents.end()));
}

// The loss's name in job files.
std::string NameOf(const v1::LossChoice& loss) {
  const auto* field = v1::LossChoice::descriptor()->FindFieldByNumber(loss.loss_case());
  return field == nullptr ? "" : field->name();
}

absl::Status CheckPositions(const v1::JobSpec& spec, const Shape& outputs,
                            const std::string& width_path) {
  const Shape labels = LabelShape(spec);
  std::vector<int64_t> wanted = labels.extents();
  if (outputs.rank() > 0) wanted.push_back(outputs.dim(-1));
  if (outputs.rank() > 0 && outputs == Shape(wanted)) return absl::OkStatus();
  const std::string name = NameOf(spec.loss());
  if (labels.rank() > 0) {
    return FieldError(
        width_path,
        absl::StrCat(name, " wants a row of classes for each of the labels ", labels.ToString(),
                     ", got outputs of shape ", outputs.ToString(), " for each example"));
  }
  return FieldError(
      width_path,
      absl::StrCat(name, " wants one axis of classes, got outputs of shape ", outputs.ToString(),
                   " for each example; put a flatten layer ", "before the linear layers"));
}

absl::Status CheckClasses(const v1::JobSpec& spec, const Shape& outputs,
                          const std::string& width_path) {
  const uint64_t classes = spec.data_summary().classes();
  if (classes == 0) {
    return FieldError(absl::StrCat("loss.", NameOf(spec.loss())),
                      "got labels that are not whole numbers from 0, want classes; use mse for "
                      "numbers");
  }
  if (static_cast<uint64_t>(outputs.dim(-1)) >= classes) return absl::OkStatus();
  return FieldError(width_path, absl::StrCat("got ", outputs.dim(-1), " outputs, want at least ",
                                             classes, ": the labels go from 0 to ", classes - 1));
}

absl::Status CheckClassWeights(const v1::JobSpec& spec, const Shape& outputs) {
  const v1::LossChoice& loss = spec.loss();
  const int weights =
      loss.has_nll() ? loss.nll().class_weights_size() : loss.cross_entropy().class_weights_size();
  if (weights == 0 || weights == outputs.dim(-1)) return absl::OkStatus();
  return FieldError(absl::StrCat("loss.", NameOf(loss), ".class_weights"),
                    absl::StrCat("got ", weights, " weights, want one for each of the ",
                                 outputs.dim(-1), " outputs"));
}

absl::Status CheckTargets(const v1::JobSpec& spec, const Shape& outputs,
                          const std::string& width_path) {
  const Shape labels = LabelShape(spec);
  const std::string name = NameOf(spec.loss());
  if (spec.data_summary().vocabulary() > 0) {
    return FieldError(absl::StrCat("loss.", name),
                      "got labels that are tokens, want cross_entropy or nll");
  }
  if (outputs.element_count() == labels.element_count()) return absl::OkStatus();
  const int64_t count = labels.element_count();
  return FieldError(width_path,
                    absl::StrCat(name, " wants ", count == 1 ? "one output" : "as many outputs",
                                 ", as the data has ",
                                 count == 1 ? "one label column" : absl::StrCat(count, " labels"),
                                 ", got outputs of shape ", outputs.ToString()));
}

}  // namespace

bool HasClassLabels(const v1::LossChoice& loss) {
  return loss.has_cross_entropy() || loss.has_nll();
}

absl::Status CheckLossFits(const v1::JobSpec& spec, const Shape& outputs,
                           const std::string& width_path) {
  if (spec.loss().loss_case() == v1::LossChoice::LOSS_NOT_SET) return absl::OkStatus();
  if (!HasClassLabels(spec.loss())) return CheckTargets(spec, outputs, width_path);
  absl::Status status = CheckPositions(spec, outputs, width_path);
  if (status.ok() && spec.has_data_summary()) status = CheckClasses(spec, outputs, width_path);
  return status.ok() ? CheckClassWeights(spec, outputs) : status;
}

}  // namespace lockstep
