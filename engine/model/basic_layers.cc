// Linear, dropout, and what changes the shape alone.
#include <vector>

#include "engine/model/layer_kinds.h"
#include "engine/nn/dropout.h"
#include "engine/nn/flatten.h"
#include "engine/nn/linear.h"
#include "engine/nn/reshape.h"

namespace lockstep {
namespace {

using MadeLayer = absl::StatusOr<std::shared_ptr<nn::Module>>;

MadeLayer MakeLinear(const LayerRequest& request) {
  const Shape& input = request.input.shape;
  if (input.rank() == 0) {
    return request.Error("",
                         "got input examples without axes (shape []), want at least one axis; put "
                         "a flatten layer before it");
  }
  const v1::Linear& linear = request.layer.linear();
  const int64_t out = linear.out_features();
  const absl::Status fits = request.CheckParameter({out, input.dim(-1)});
  if (!fits.ok()) return fits;
  request.SetWidth("out_features");
  return std::make_shared<nn::Linear>(input.dim(-1), out, linear.bias());
}

MadeLayer MakeReshape(const LayerRequest& request) {
  const auto& shape = request.layer.reshape().shape();
  return std::make_shared<nn::Reshape>(Shape(std::vector<int64_t>(shape.begin(), shape.end())));
}

MadeLayer MakeDropout(const LayerRequest& request) {
  return std::make_shared<nn::Dropout>(request.layer.dropout().probability());
}

}  // namespace

absl::Span<const LayerKind> BasicLayers() {
  static constexpr LayerKind kKinds[] = {
      {v1::LayerChoice::kLinear, MakeLinear},
      {v1::LayerChoice::kFlatten, MakePlain<nn::Flatten>},
      {v1::LayerChoice::kReshape, MakeReshape},
      {v1::LayerChoice::kDropout, MakeDropout},
  };
  return kKinds;
}

}  // namespace lockstep
