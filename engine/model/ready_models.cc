// Whole networks by name. Each is written as the layers that it stands for and
// built from those, so that a user can replace it by them.
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/model/layer_kinds.h"

namespace lockstep {
namespace {

using MadeLayer = absl::StatusOr<std::shared_ptr<nn::Module>>;

v1::LayerChoice* Add(v1::Sequential* layers) { return layers->add_layers(); }

v1::Linear* AddLinear(int64_t out_features, v1::Sequential* layers) {
  v1::Linear* linear = Add(layers)->mutable_linear();
  linear->set_out_features(static_cast<uint32_t>(out_features));
  return linear;
}

void AddActivation(v1::Activation activation, v1::Sequential* layers) {
  v1::LayerChoice* layer = Add(layers);
  switch (activation) {
    case v1::ACTIVATION_TANH:
      layer->mutable_tanh();
      break;
    case v1::ACTIVATION_SIGMOID:
      layer->mutable_sigmoid();
      break;
    case v1::ACTIVATION_LEAKY_RELU:
      layer->mutable_leaky_relu();
      break;
    case v1::ACTIVATION_ELU:
      layer->mutable_elu();
      break;
    case v1::ACTIVATION_GELU:
      layer->mutable_gelu();
      break;
    case v1::ACTIVATION_SILU:
      layer->mutable_silu();
      break;
    case v1::ACTIVATION_SOFTPLUS:
      layer->mutable_softplus();
      break;
    default:
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

MadeLayer Build(const LayerRequest& request, v1::Sequential layers) {
  LayerInput input = request.input;
  MadeLayer module = request.builder.BuildReadyModel(std::move(layers), request.path, &input);
  request.SetWidth("outputs");
  return module;
}

MadeLayer MakeMlp(const LayerRequest& request) {
  const v1::Mlp& mlp = request.layer.mlp();
  const absl::StatusOr<int64_t> outputs = Outputs(request, mlp);
  if (!outputs.ok()) return outputs.status();
  v1::Sequential layers;
  Add(&layers)->mutable_flatten();
  for (uint32_t width : mlp.hidden()) {
    AddLinear(width, &layers);
    AddActivation(mlp.activation(), &layers);
  }
  AddLinear(*outputs, &layers);
  return Build(request, std::move(layers));
}

// ---- Of images.

// A channel's axis, where the images have none.
absl::Status AddChannels(const LayerRequest& request, v1::Sequential* layers) {
  const Shape& input = request.input.shape;
  if (input.rank() == 3) return absl::OkStatus();
  if (input.rank() != 2) {
    return request.Error("", absl::StrCat("got an example of shape ", input.ToString(),
                                          ", want an image: [height, width] or [channels, "
                                          "height, width]"));
  }
  v1::Reshape* reshape = Add(layers)->mutable_reshape();
  for (int64_t extent : {int64_t{1}, input.dim(0), input.dim(1)}) reshape->add_shape(extent);
  return absl::OkStatus();
}

v1::Conv2d* AddConvolution(int64_t out_channels, int kernel_size, int padding,
                           v1::Sequential* layers) {
  v1::Conv2d* convolution = Add(layers)->mutable_conv2d();
  convolution->set_out_channels(static_cast<uint32_t>(out_channels));
  convolution->add_kernel_size(kernel_size);
  convolution->add_padding(padding);
  return convolution;
}

MadeLayer MakeLenet5(const LayerRequest& request) {
  // The images that the network was made for are so wide.
  constexpr int64_t kWidth = 32;
  const v1::Lenet5& lenet5 = request.layer.lenet5();
  const absl::StatusOr<int64_t> outputs = Outputs(request, lenet5);
  if (!outputs.ok()) return outputs.status();
  v1::Sequential layers;
  const absl::Status status = AddChannels(request, &layers);
  if (!status.ok()) return status;
  for (int channels : {6, 16}) {
    const bool pads = channels == 6 && request.input.shape.dim(-1) < kWidth;
    AddConvolution(channels, 5, pads ? 2 : 0, &layers);
    AddActivation(lenet5.activation(), &layers);
    Add(&layers)->mutable_avg_pool()->add_kernel_size(2);
  }
  Add(&layers)->mutable_flatten();
  for (int width : {120, 84}) {
    AddLinear(width, &layers);
    AddActivation(lenet5.activation(), &layers);
  }
  AddLinear(*outputs, &layers);
  return Build(request, std::move(layers));
}

// A convolution of a residual network, and its norm.
void AddNormalized(int64_t channels, int kernel_size, int stride, v1::Sequential* layers) {
  v1::Conv2d* convolution = AddConvolution(channels, kernel_size, kernel_size / 2, layers);
  convolution->add_stride(stride);
  convolution->set_bias(false);
  convolution->mutable_init()->mutable_kaiming_normal()->set_fan(v1::FAN_OUT);
  Add(layers)->mutable_batch_norm();
}

// Two convolutions beside a shortcut. With a stride above 1 the shortcut has one too.
void AddBlock(int64_t channels, int stride, v1::Sequential* layers) {
  v1::Residual* block = Add(layers)->mutable_residual();
  v1::Sequential inner, shortcut;
  AddNormalized(channels, 3, stride, &inner);
  Add(&inner)->mutable_relu();
  AddNormalized(channels, 3, 1, &inner);
  block->mutable_layers()->Swap(inner.mutable_layers());
  if (stride > 1) AddNormalized(channels, 1, stride, &shortcut);
  block->mutable_shortcut()->Swap(shortcut.mutable_layers());
  Add(layers)->mutable_relu();
}

MadeLayer MakeResnet(const LayerRequest& request) {
  constexpr int kStages = 3;
  const v1::Resnet& resnet = request.layer.resnet();
  if (resnet.depth() % (2 * kStages) != 2) {
    return request.Error(
        "depth", absl::StrCat("got ", resnet.depth(), ", want 6 n + 2 for some n: 8, 14, 20, ..."));
  }
  const absl::StatusOr<int64_t> outputs = Outputs(request, resnet);
  if (!outputs.ok()) return outputs.status();
  v1::Sequential layers;
  const absl::Status status = AddChannels(request, &layers);
  if (!status.ok()) return status;
  AddNormalized(resnet.width(), 3, 1, &layers);
  Add(&layers)->mutable_relu();
  const int blocks = static_cast<int>(resnet.depth()) / (2 * kStages);
  for (int stage = 0; stage < kStages; ++stage) {
    for (int block = 0; block < blocks; ++block) {
      AddBlock(int64_t{resnet.width()} << stage, stage > 0 && block == 0 ? 2 : 1, &layers);
    }
  }
  Add(&layers)->mutable_adaptive_avg_pool()->add_output_size(1);
  Add(&layers)->mutable_flatten();
  AddLinear(*outputs, &layers);
  return Build(request, std::move(layers));
}

// ---- Of text.

// A language model's outputs: one for each token.
template <typename Message>
int64_t TokenOutputs(const LayerRequest& request, const Message& message) {
  return message.has_outputs() ? message.outputs() : request.builder.vocabulary();
}

void AddDropout(float probability, v1::Sequential* layers) {
  Add(layers)->mutable_dropout()->set_probability(probability);
}

// GPT-2's initial values.
void SetSmall(v1::InitializerChoice* weights) {
  weights->mutable_normal()->set_standard_deviation(0.02f);
}

void AddPositions(const v1::Gpt& gpt, v1::Sequential* layers) {
  if (gpt.positions() == v1::POSITIONS_LEARNED) {
    v1::LearnedPositions* positions = Add(layers)->mutable_learned_positions();
    if (gpt.has_context()) positions->set_context(gpt.context());
  } else if (gpt.positions() == v1::POSITIONS_SINUSOIDAL) {
    Add(layers)->mutable_sinusoidal_positions();
  }
}

void AddBlocks(const v1::Gpt& gpt, v1::Sequential* layers) {
  v1::Repeat* repeat = Add(layers)->mutable_repeat();
  repeat->set_times(gpt.layers());
  v1::TransformerBlock* block = repeat->add_layers()->mutable_transformer_block();
  block->set_heads(gpt.heads());
  block->set_mlp_ratio(gpt.mlp_ratio());
  block->set_norm(gpt.norm());
  block->set_activation(gpt.activation());
  block->set_dropout(gpt.dropout());
  if (gpt.positions() == v1::POSITIONS_ROTARY) block->set_rotary_base(10000);
  SetSmall(block->mutable_init());
  block->mutable_bias_init()->mutable_constant();
}

MadeLayer MakeGpt(const LayerRequest& request) {
  const v1::Gpt& gpt = request.layer.gpt();
  if (gpt.width() % gpt.heads() != 0) {
    return request.Error(
        "heads", absl::StrCat("got ", gpt.heads(), ", want a divisor of the width ", gpt.width()));
  }
  if (gpt.has_context() && gpt.context() < request.input.shape.dim(0)) {
    return request.Error("context",
                         absl::StrCat("got ", gpt.context(), ", want at least the data's context, ",
                                      request.input.shape.dim(0)));
  }
  v1::Sequential layers;
  v1::Embedding* embedding = Add(&layers)->mutable_embedding();
  embedding->set_embedding_dim(gpt.width());
  SetSmall(embedding->mutable_init());
  AddPositions(gpt, &layers);
  AddDropout(gpt.dropout(), &layers);
  AddBlocks(gpt, &layers);
  if (gpt.norm() == v1::TRANSFORMER_NORM_RMS) {
    Add(&layers)->mutable_rms_norm();
  } else {
    Add(&layers)->mutable_layer_norm();
  }
  v1::Linear* head = AddLinear(TokenOutputs(request, gpt), &layers);
  head->set_bias(false);
  SetSmall(head->mutable_init());
  return Build(request, std::move(layers));
}

MadeLayer MakeLstmLm(const LayerRequest& request) {
  const v1::LstmLm& lstm_lm = request.layer.lstm_lm();
  v1::Sequential layers, layer;
  Add(&layers)->mutable_embedding()->set_embedding_dim(lstm_lm.embedding_dim());
  AddDropout(lstm_lm.dropout(), &layers);
  Add(&layer)->mutable_lstm()->set_hidden_size(lstm_lm.hidden_size());
  AddDropout(lstm_lm.dropout(), &layer);
  v1::Repeat* repeat = Add(&layers)->mutable_repeat();
  repeat->set_times(lstm_lm.layers());
  repeat->mutable_layers()->Swap(layer.mutable_layers());
  AddLinear(TokenOutputs(request, lstm_lm), &layers);
  return Build(request, std::move(layers));
}

}  // namespace

absl::Span<const LayerKind> ReadyModels() {
  static constexpr LayerKind kKinds[] = {
      {v1::LayerChoice::kMlp, MakeMlp},
      {v1::LayerChoice::kLenet5, MakeLenet5},
      {v1::LayerChoice::kResnet, MakeResnet},
      {v1::LayerChoice::kGpt, MakeGpt, LayerKind::Takes::kTokens},
      {v1::LayerChoice::kLstmLm, MakeLstmLm, LayerKind::Takes::kTokens},
  };
  return kKinds;
}

}  // namespace lockstep
