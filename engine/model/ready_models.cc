// Whole networks by name. Each is written as the layers that it stands for and
// built from those, so that a user can replace it by them.
#include "absl/strings/str_cat.h"
#include "engine/model/layer_kinds.h"

namespace lockstep {
namespace {

using MadeLayer = absl::StatusOr<std::shared_ptr<nn::Module>>;

void AddLinear(int64_t out_features, v1::Sequential* layers) {
  v1::Linear* linear = layers->add_layers()->mutable_linear();
  linear->set_out_features(static_cast<uint32_t>(out_features));
  linear->set_bias(true);
}

void AddActivation(v1::Activation activation, v1::Sequential* layers) {
  v1::LayerChoice* layer = layers->add_layers();
  switch (activation) {
    case v1::ACTIVATION_TANH:
      layer->mutable_tanh();
      break;
    case v1::ACTIVATION_SIGMOID:
      layer->mutable_sigmoid();
      break;
    default:  // the default
      layer->mutable_relu();
      break;
  }
}

// The outputs asked for, else those that loss and data want.
template <typename Message>
absl::StatusOr<int64_t> Outputs(const LayerRequest& request, const Message& message) {
  if (message.has_outputs()) return message.outputs();
  return request.builder.DefaultOutputs(request.path);
}

MadeLayer Build(const LayerRequest& request, const v1::Sequential& layers,
                absl::string_view width_field) {
  LayerInput input = request.input;
  MadeLayer module = request.builder.BuildReadyModel(layers, request.path, &input);
  request.builder.SetWidthPath(absl::StrCat(request.path, width_field));
  return module;
}

MadeLayer MakeMlp(const LayerRequest& request) {
  const v1::Mlp& mlp = request.layer.mlp();
  const absl::StatusOr<int64_t> outputs = Outputs(request, mlp);
  if (!outputs.ok()) return outputs.status();
  v1::Sequential layers;
  layers.add_layers()->mutable_flatten();
  for (uint32_t width : mlp.hidden()) {
    AddLinear(width, &layers);
    AddActivation(mlp.activation(), &layers);
  }
  AddLinear(*outputs, &layers);
  return Build(request, layers, ".outputs");
}

}  // namespace

absl::Span<const LayerKind> ReadyModels() {
  static constexpr LayerKind kKinds[] = {
      {v1::LayerChoice::kMlp, MakeMlp},
  };
  return kKinds;
}

}  // namespace lockstep
