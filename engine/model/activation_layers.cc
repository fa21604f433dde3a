// Functions of single elements, and softmax.
#include "engine/model/layer_kinds.h"
#include "engine/nn/activations.h"
#include "engine/nn/softmax.h"

namespace lockstep {
namespace {

using MadeLayer = absl::StatusOr<std::shared_ptr<nn::Module>>;

MadeLayer MakeLeakyRelu(const LayerRequest& request) {
  return std::make_shared<nn::LeakyReLU>(request.layer.leaky_relu().negative_slope());
}

MadeLayer MakeElu(const LayerRequest& request) {
  return std::make_shared<nn::ELU>(request.layer.elu().alpha());
}

MadeLayer MakeGelu(const LayerRequest& request) {
  const bool by_tanh = request.layer.gelu().approximate() == v1::GELU_APPROXIMATION_TANH;
  return std::make_shared<nn::GELU>(by_tanh ? nn::GELU::Approximate::kTanh
                                            : nn::GELU::Approximate::kNone);
}

MadeLayer MakeSoftplus(const LayerRequest& request) {
  const v1::Softplus& softplus = request.layer.softplus();
  return std::make_shared<nn::Softplus>(softplus.beta(), softplus.threshold());
}

MadeLayer MakeHardtanh(const LayerRequest& request) {
  const v1::Hardtanh& hardtanh = request.layer.hardtanh();
  if (hardtanh.least() > hardtanh.most()) {
    return request.Error(
        "least", absl::StrCat("got ", hardtanh.least(), ", want at most most, ", hardtanh.most()));
  }
  return std::make_shared<nn::Hardtanh>(hardtanh.least(), hardtanh.most());
}

MadeLayer MakeSoftmax(const LayerRequest& request) {
  return std::make_shared<nn::Softmax>(request.layer.softmax().axis());
}

MadeLayer MakeLogSoftmax(const LayerRequest& request) {
  return std::make_shared<nn::LogSoftmax>(request.layer.log_softmax().axis());
}

}  // namespace

absl::Span<const LayerKind> ActivationLayers() {
  static constexpr LayerKind kKinds[] = {
      {v1::LayerChoice::kRelu, MakePlain<nn::ReLU>},
      {v1::LayerChoice::kTanh, MakePlain<nn::Tanh>},
      {v1::LayerChoice::kSigmoid, MakePlain<nn::Sigmoid>},
      {v1::LayerChoice::kLeakyRelu, MakeLeakyRelu},
      {v1::LayerChoice::kElu, MakeElu},
      {v1::LayerChoice::kGelu, MakeGelu},
      {v1::LayerChoice::kSilu, MakePlain<nn::SiLU>},
      {v1::LayerChoice::kSoftplus, MakeSoftplus},
      {v1::LayerChoice::kHardtanh, MakeHardtanh},
      {v1::LayerChoice::kRelu6, MakePlain<nn::ReLU6>},
      {v1::LayerChoice::kSoftmax, MakeSoftmax},
      {v1::LayerChoice::kLogSoftmax, MakeLogSoftmax},
  };
  return kKinds;
}

}  // namespace lockstep
