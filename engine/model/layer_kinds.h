// Which factory makes each layer of job.proto: one table, whose rows stand in a
// file for each family of layers (*_layers.cc).
#ifndef LOCKSTEP_ENGINE_MODEL_LAYER_KINDS_H_
#define LOCKSTEP_ENGINE_MODEL_LAYER_KINDS_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "engine/model/layer_builder.h"
#include "lockstep/v1/job.pb.h"

namespace lockstep {

// What a factory is given.
struct LayerRequest {
  const v1::LayerChoice& layer;  // its fields are complete and in range
  const std::string& path;       // "model[2].linear"
  const LayerInput& input;
  LayerBuilder& builder;

  // About one of its fields; "" for the layer itself.
  absl::Status Error(absl::string_view field, absl::string_view message) const {
    return builder.Error(path, field, message);
  }
  // Refuses a parameter of too many elements. Call it before making one.
  absl::Status CheckParameter(const Shape& shape) const {
    return builder.CheckParameter(path, shape);
  }
  // The field that decides how wide the output is.
  void SetWidth(absl::string_view field) const {
    builder.SetWidthPath(absl::StrCat(path, ".", field));
  }
};

using LayerFactory = absl::StatusOr<std::shared_ptr<nn::Module>> (*)(const LayerRequest& request);

struct LayerKind {
  v1::LayerChoice::LayerCase layer_case;
  LayerFactory make;
  enum class Takes {
    kNumbers,
    kTokens,  // gives numbers
    kLayers,  // what its own layers take
  } takes = Takes::kNumbers;
};

// Null for LAYER_NOT_SET only.
const LayerKind* FindLayerKind(v1::LayerChoice::LayerCase layer_case);

// ---- The families.

// Linear, dropout, and what changes the shape alone.
absl::Span<const LayerKind> BasicLayers();
// Functions of single elements, and softmax.
absl::Span<const LayerKind> ActivationLayers();
// Convolutions and pooling.
absl::Span<const LayerKind> ConvolutionLayers();
absl::Span<const LayerKind> NormalizationLayers();
// Embeddings, attention and recurrent layers.
absl::Span<const LayerKind> SequenceLayers();
// Layers of layers, and the user's own.
absl::Span<const LayerKind> ContainerLayers();
// Whole networks by name.
absl::Span<const LayerKind> ReadyModels();

// A module without settings.
template <typename Module>
absl::StatusOr<std::shared_ptr<nn::Module>> MakePlain(const LayerRequest&) {
  return std::make_shared<Module>();
}

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_MODEL_LAYER_KINDS_H_
