#include "engine/nn/residual.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "engine/autograd/arithmetic_ops.h"

namespace lockstep::nn {

using autograd::Variable;

Variable Residual::Forward(const Variable& input) const {
  const Variable added = layers_->Forward(input);
  return autograd::Add(added, shortcut_ == nullptr ? input : shortcut_->Forward(input));
}

absl::StatusOr<Shape> Residual::OutputShape(const Shape& example_shape) const {
  absl::StatusOr<Shape> added = layers_->OutputShape(example_shape);
  if (!added.ok()) return added;
  absl::StatusOr<Shape> kept = example_shape;
  if (shortcut_ != nullptr) kept = shortcut_->OutputShape(example_shape);
  if (!kept.ok()) return kept;
  if (*added == *kept) return added;
  return absl::InvalidArgumentError(
      absl::StrCat("residual: got outputs of shape ", added->ToString(), " from its layers and ",
                   kept->ToString(), " from its shortcut, want the same shape"));
}

std::vector<NamedParameter> Residual::NamedParameters() const {
  std::vector<NamedParameter> parameters;
  const auto add = [&parameters](const char* prefix, const Module& module) {
    for (NamedParameter& parameter : module.NamedParameters()) {
      parameter.name = prefix + parameter.name;
      parameters.push_back(std::move(parameter));
    }
  };
  add("layers.", *layers_);
  if (shortcut_ != nullptr) add("shortcut.", *shortcut_);
  return parameters;
}

void Residual::Initialize(uint64_t key, uint64_t first_parameter) {
  layers_->Initialize(key, first_parameter);
  if (shortcut_ == nullptr) return;
  shortcut_->Initialize(key, first_parameter + layers_->NamedParameters().size());
}

bool Residual::SupportsShardCuts() const {
  return layers_->SupportsShardCuts() && (shortcut_ == nullptr || shortcut_->SupportsShardCuts());
}

std::string Residual::Describe() const {
  const auto indented = [](const Module& module) {
    return absl::StrReplaceAll(module.Describe(), {{"\n", "\n  "}});
  };
  std::string text = absl::StrCat("Residual(\n  (layers): ", indented(*layers_), "\n");
  if (shortcut_ != nullptr) absl::StrAppend(&text, "  (shortcut): ", indented(*shortcut_), "\n");
  return text + ")";
}

}  // namespace lockstep::nn
