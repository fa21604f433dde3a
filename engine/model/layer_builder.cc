#include "engine/model/layer_builder.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/model/check_loss.h"
#include "engine/model/field_error.h"
#include "engine/model/layer_fields.h"
#include "engine/model/layer_kinds.h"

namespace lockstep {
namespace {

constexpr int64_t kMaxElements = int64_t{1} << 48;

// "linear" for the chosen layer of `layer`.
const std::string& NameOf(const v1::LayerChoice& layer) {
  return v1::LayerChoice::descriptor()->FindFieldByNumber(layer.layer_case())->name();
}

}  // namespace

std::optional<int64_t> CheckedElementCount(const Shape& shape) {
  int64_t count = 1;
  for (int64_t extent : shape.extents()) {
    if (extent < 1 || extent > kMaxElements / count) return std::nullopt;
    count *= extent;
  }
  return count;
}

const LayerKind* FindLayerKind(v1::LayerChoice::LayerCase layer_case) {
  for (const auto& family :
       {BasicLayers(), ActivationLayers(), ConvolutionLayers(), NormalizationLayers(),
        SequenceLayers(), ContainerLayers(), ReadyModels()}) {
    for (const LayerKind& kind : family) {
      if (kind.layer_case == layer_case) return &kind;
    }
  }
  return nullptr;
}

absl::StatusOr<std::shared_ptr<nn::Sequential>> LayerBuilder::Build(const Layers& layers,
                                                                    const std::string& path,
                                                                    LayerInput* input) {
  auto sequential = std::make_shared<nn::Sequential>();
  for (int i = 0; i < layers.size(); ++i) {
    absl::StatusOr<std::shared_ptr<nn::Module>> module =
        BuildLayer(layers[i], absl::StrCat(path, "[", i, "]"), input);
    if (!module.ok()) return module.status();
    sequential->Append(*std::move(module));
  }
  return sequential;
}

absl::StatusOr<std::shared_ptr<nn::Module>> LayerBuilder::BuildLayer(const v1::LayerChoice& layer,
                                                                     const std::string& path,
                                                                     LayerInput* input) {
  const LayerKind* kind = FindLayerKind(layer.layer_case());
  if (kind == nullptr) {
    return FieldError(Shown(path), absl::StrCat("missing, want a layer: ", LayerNames()));
  }
  const std::string full_path = absl::StrCat(path, ".", NameOf(layer));
  const std::string& shown = Shown(full_path);
  if (++layers_ > kMaxLayers) {
    return FieldError(shown,
                      absl::StrCat("got more than ", kMaxLayers,
                                   " layers, ready models taken apart, want at most ", kMaxLayers));
  }
  if (input->tokens && kind->takes == LayerKind::Takes::kNumbers) {
    return FieldError(shown, "got tokens, want numbers; put an embedding layer before it");
  }
  if (!input->tokens && kind->takes == LayerKind::Takes::kTokens) {
    return FieldError(shown, absl::StrCat("got numbers of shape ", input->shape.ToString(),
                                          ", want tokens: data of text, as the first layer"));
  }
  last_path_ = shown;
  absl::StatusOr<std::shared_ptr<nn::Module>> module =
      kind->make({layer, full_path, *input, *this});
  if (!module.ok()) return module.status();
  absl::Status status = AddInitialValues(layer, full_path, **module);
  if (!status.ok()) return status;
  absl::StatusOr<Shape> output = (*module)->OutputShape(input->shape);
  if (!output.ok()) return FieldError(shown, output.status().message());
  if (!CheckedElementCount(*output).has_value()) {
    return FieldError(shown, absl::StrCat("got outputs of shape ", output->ToString(),
                                          " for each example, want 1 to 2^48 elements"));
  }
  *input = LayerInput{*std::move(output), false};
  return module;
}

absl::StatusOr<std::shared_ptr<nn::Module>> LayerBuilder::BuildReadyModel(v1::Sequential layers,
                                                                          const std::string& path,
                                                                          LayerInput* input) {
  FillLayerDefaults(layers.mutable_layers());
  const std::string outer = ready_model_path_;
  if (outer.empty()) ready_model_path_ = path;
  absl::StatusOr<std::shared_ptr<nn::Sequential>> model = Build(layers.layers(), path, input);
  ready_model_path_ = outer;
  if (!model.ok()) return model.status();
  return std::shared_ptr<nn::Module>(*std::move(model));
}

absl::StatusOr<int64_t> LayerBuilder::DefaultOutputs(const std::string& path) const {
  if (!HasClassLabels(spec_.loss())) return 1;
  if (spec_.data_summary().classes() > 0) {
    return static_cast<int64_t>(spec_.data_summary().classes());
  }
  return FieldError(absl::StrCat(path, ".outputs"),
                    "missing, want it, as the data's labels do not say how many classes there are");
}

absl::Status LayerBuilder::Error(const std::string& path, absl::string_view field,
                                 absl::string_view message) const {
  if (field.empty() || !ready_model_path_.empty()) return FieldError(Shown(path), message);
  return FieldError(absl::StrCat(path, ".", field), message);
}

absl::Status LayerBuilder::AddInitialValues(const v1::LayerChoice& layer, const std::string& path,
                                            const nn::Module& module) {
  using Which = InitialValues::Which;
  const auto* chosen = v1::LayerChoice::descriptor()->FindFieldByNumber(layer.layer_case());
  const auto& fields = layer.GetReflection()->GetMessage(layer, chosen);
  for (const auto& [name, which] :
       {std::pair("init", Which::kWeights), std::pair("bias_init", Which::kBiases)}) {
    const auto* field = fields.GetDescriptor()->FindFieldByName(name);
    if (field == nullptr || !fields.GetReflection()->HasField(fields, field)) continue;
    const absl::Status status =
        initial_values_.Add(module, which,
                            static_cast<const v1::InitializerChoice&>(
                                fields.GetReflection()->GetMessage(fields, field)));
    if (!status.ok()) return Error(path, name, status.message());
  }
  return absl::OkStatus();
}

absl::Status LayerBuilder::CheckParameter(const std::string& path, const Shape& shape) const {
  if (CheckedElementCount(shape).has_value()) return absl::OkStatus();
  return FieldError(Shown(path), absl::StrCat("got a parameter of shape ", shape.ToString(),
                                              ", want 1 to 2^48 elements"));
}

}  // namespace lockstep
