// Normalisation over the batch and within each example.
#include <vector>

#include "engine/model/layer_kinds.h"
#include "engine/nn/batch_norm.h"
#include "engine/nn/group_norm.h"
#include "engine/nn/layer_norm.h"

namespace lockstep {
namespace {

using MadeLayer = absl::StatusOr<std::shared_ptr<nn::Module>>;

MadeLayer MakeBatchNorm(const LayerRequest& request) {
  const Shape& input = request.input.shape;
  if (input.rank() < 1 || input.rank() > 3) {
    return request.Error("", absl::StrCat("got an example of shape ", input.ToString(),
                                          ", want [channels], [channels, length] or [channels, "
                                          "height, width]"));
  }
  const v1::BatchNorm& norm = request.layer.batch_norm();
  const nn::BatchNormOptions options = {norm.epsilon(), norm.momentum(), norm.affine()};
  if (input.rank() == 3) return std::make_shared<nn::BatchNorm2d>(input.dim(0), options);
  return std::make_shared<nn::BatchNorm1d>(input.dim(0), options);
}

// The last axes, which are normalised together.
absl::StatusOr<Shape> LastAxes(const LayerRequest& request, int axes) {
  const std::vector<int64_t> extents = request.input.shape.extents();
  if (static_cast<int>(extents.size()) < axes) {
    return request.Error("axes", absl::StrCat("got ", axes, ", want at most the ", extents.size(),
                                              " of examples ", request.input.shape.ToString()));
  }
  return Shape(std::vector<int64_t>(extents.end() - axes, extents.end()));
}

MadeLayer MakeLayerNorm(const LayerRequest& request) {
  const v1::LayerNorm& norm = request.layer.layer_norm();
  const absl::StatusOr<Shape> axes = LastAxes(request, static_cast<int>(norm.axes()));
  if (!axes.ok()) return axes.status();
  return std::make_shared<nn::LayerNorm>(
      *axes, nn::LayerNorm::Options{norm.epsilon(), norm.affine(), norm.affine() && norm.bias()});
}

MadeLayer MakeRmsNorm(const LayerRequest& request) {
  const v1::RmsNorm& norm = request.layer.rms_norm();
  const absl::StatusOr<Shape> axes = LastAxes(request, static_cast<int>(norm.axes()));
  if (!axes.ok()) return axes.status();
  return std::make_shared<nn::RMSNorm>(*axes, nn::RMSNorm::Options{norm.epsilon(), norm.affine()});
}

MadeLayer MakeGroupNorm(const LayerRequest& request) {
  const v1::GroupNorm& norm = request.layer.group_norm();
  const Shape& input = request.input.shape;
  if (input.rank() == 0) return request.Error("", "got examples of shape [], want channels");
  if (input.dim(0) % norm.groups() != 0) {
    return request.Error("groups", absl::StrCat("got ", norm.groups(), ", want a divisor of the ",
                                                input.dim(0), " channels"));
  }
  return std::make_shared<nn::GroupNorm>(norm.groups(), input.dim(0), norm.epsilon(),
                                         norm.affine());
}

}  // namespace

absl::Span<const LayerKind> NormalizationLayers() {
  static constexpr LayerKind kKinds[] = {
      {v1::LayerChoice::kBatchNorm, MakeBatchNorm},
      {v1::LayerChoice::kLayerNorm, MakeLayerNorm},
      {v1::LayerChoice::kRmsNorm, MakeRmsNorm},
      {v1::LayerChoice::kGroupNorm, MakeGroupNorm},
  };
  return kKinds;
}

}  // namespace lockstep
