// Layers of layers, and the user's own.
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/model/field_error.h"
#include "engine/model/layer_kinds.h"
#include "engine/nn/residual.h"
#include "engine/nn/sequential.h"

namespace lockstep {
namespace {

using MadeLayer = absl::StatusOr<std::shared_ptr<nn::Module>>;
using Takes = LayerKind::Takes;

MadeLayer MakeSequential(const LayerRequest& request) {
  LayerInput input = request.input;
  auto layers = request.builder.Build(request.layer.sequential().layers(),
                                      absl::StrCat(request.path, ".layers"), &input);
  if (!layers.ok()) return layers.status();
  return std::shared_ptr<nn::Module>(*std::move(layers));
}

MadeLayer MakeRepeat(const LayerRequest& request) {
  LayerInput input = request.input;
  auto repetitions = std::make_shared<nn::Sequential>();
  for (uint32_t i = 0; i < request.layer.repeat().times(); ++i) {
    auto layers = request.builder.Build(request.layer.repeat().layers(),
                                        absl::StrCat(request.path, ".layers"), &input);
    if (!layers.ok()) return layers.status();
    repetitions->Append(*std::move(layers));
  }
  return std::shared_ptr<nn::Module>(std::move(repetitions));
}

MadeLayer MakeResidual(const LayerRequest& request) {
  const v1::Residual& residual = request.layer.residual();
  LayerInput input = request.input;
  auto layers =
      request.builder.Build(residual.layers(), absl::StrCat(request.path, ".layers"), &input);
  if (!layers.ok()) return layers.status();
  if (residual.shortcut().empty()) return std::make_shared<nn::Residual>(*std::move(layers));
  input = request.input;
  auto shortcut =
      request.builder.Build(residual.shortcut(), absl::StrCat(request.path, ".shortcut"), &input);
  if (!shortcut.ok()) return shortcut.status();
  return std::make_shared<nn::Residual>(*std::move(layers), *std::move(shortcut));
}

MadeLayer MakeCustom(const LayerRequest& request) {
  const v1::Custom& custom = request.layer.custom();
  const LayerRegistry::Factory* factory = request.builder.registry().Find(custom.name());
  if (factory == nullptr) {
    const std::vector<std::string> known = request.builder.registry().Names();
    return FieldError(absl::StrCat(request.path, ".name"),
                      absl::StrCat("got a layer that this program was not built with, known: ",
                                   known.empty() ? "none" : absl::StrJoin(known, ", ")),
                      absl::StatusCode::kFailedPrecondition);
  }
  LayerOptions options(
      std::map<std::string, std::string>(custom.options().begin(), custom.options().end()));
  absl::StatusOr<std::shared_ptr<nn::Module>> module = (*factory)(options, request.input.shape);
  if (const auto problem = options.FirstProblem(); problem.has_value()) {
    return FieldError(absl::StrCat(request.path, ".options.", problem->option), problem->message);
  }
  if (!module.ok()) return FieldError(request.path, module.status().message());
  request.builder.SetWidthPath(request.path);
  return module;
}

}  // namespace

absl::Span<const LayerKind> ContainerLayers() {
  static constexpr LayerKind kKinds[] = {
      {v1::LayerChoice::kResidual, MakeResidual, Takes::kNumbers},
      {v1::LayerChoice::kSequential, MakeSequential, Takes::kLayers},
      {v1::LayerChoice::kRepeat, MakeRepeat, Takes::kLayers},
      {v1::LayerChoice::kCustom, MakeCustom, Takes::kNumbers},
  };
  return kKinds;
}

}  // namespace lockstep
