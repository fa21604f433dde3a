// Layers of a job to modules. The modules' parameters have no memory yet, so a
// model of any size can be looked at. This is build_model's inside; the layers
// themselves are made by the factories of layer_kinds.h.
//
// Errors: FieldError (field_error.h) with the path of the layer or field.
#ifndef LOCKSTEP_ENGINE_MODEL_LAYER_BUILDER_H_
#define LOCKSTEP_ENGINE_MODEL_LAYER_BUILDER_H_

#include <google/protobuf/repeated_ptr_field.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "engine/model/initial_values.h"
#include "engine/model/layer_registry.h"
#include "engine/nn/sequential.h"
#include "engine/shape.h"
#include "lockstep/v1/job.pb.h"

namespace lockstep {

// What one layer gives to the next, of one example.
struct LayerInput {
  Shape shape;
  // Whether these are int64 tokens, which only an embedding takes, and not
  // float32 numbers.
  bool tokens = false;
};

// Product of the extents; nothing for an extent below 1 or more than 2^48
// elements: sums and products with a layer's width stay below 2^63 * 2^16.
std::optional<int64_t> CheckedElementCount(const Shape& shape);

class LayerBuilder {
 public:
  using Layers = google::protobuf::RepeatedPtrField<v1::LayerChoice>;

  // Keeps references to both.
  LayerBuilder(const v1::JobSpec& spec, const LayerRegistry& layers)
      : spec_(spec), registry_(layers) {}

  // The layers, each with the input that the one before gives it; `input`
  // becomes the last one's output. `path`: of the list, "model".
  absl::StatusOr<std::shared_ptr<nn::Sequential>> Build(const Layers& layers,
                                                        const std::string& path, LayerInput* input);

  // ---- For factories.

  // What a ready model stands for. Its layers are the program's own: errors
  // have the ready model's `path`.
  absl::StatusOr<std::shared_ptr<nn::Module>> BuildReadyModel(v1::Sequential layers,
                                                              const std::string& path,
                                                              LayerInput* input);
  const LayerRegistry& registry() const { return registry_; }
  // The outputs that the loss wants where a ready model does not say: the
  // data's classes, or 1. Errors: the classes are not known.
  absl::StatusOr<int64_t> DefaultOutputs(const std::string& path) const;
  // How many tokens the data has; 0: its features are numbers.
  int64_t vocabulary() const { return static_cast<int64_t>(spec_.data_summary().vocabulary()); }
  // Refuses a parameter of too many elements. Call it before making one.
  absl::Status CheckParameter(const std::string& path, const Shape& shape) const;
  // FieldError about `field` of the layer with this path, "" for the layer itself.
  absl::Status Error(const std::string& path, absl::string_view field,
                     absl::string_view message) const;
  // The field that decides how wide the model's output is, so far.
  void SetWidthPath(std::string path) { width_path_ = std::move(path); }

  // How some layers' parameters start, other than by themselves.
  const InitialValues& initial_values() const { return initial_values_; }
  // The last SetWidthPath, else the last layer.
  const std::string& WidthPath() const { return width_path_.empty() ? last_path_ : width_path_; }

 private:
  absl::StatusOr<std::shared_ptr<nn::Module>> BuildLayer(const v1::LayerChoice& layer,
                                                         const std::string& path,
                                                         LayerInput* input);
  // What the layer's `init` and `bias_init` say, where it has them.
  absl::Status AddInitialValues(const v1::LayerChoice& layer, const std::string& path,
                                const nn::Module& module);
  // The path that an error about `path` is told with.
  const std::string& Shown(const std::string& path) const {
    return ready_model_path_.empty() ? path : ready_model_path_;
  }

  const v1::JobSpec& spec_;
  const LayerRegistry& registry_;
  std::string ready_model_path_;  // of the one that is being built
  std::string width_path_;
  std::string last_path_;
  int64_t layers_ = 0;
  InitialValues initial_values_;
};

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_MODEL_LAYER_BUILDER_H_
