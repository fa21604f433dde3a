#include "examples/custom_model/swiglu.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "engine/autograd/activation_ops.h"
#include "engine/autograd/arithmetic_ops.h"
#include "engine/check.h"

namespace custom_model {

using lockstep::LayerOptions;
using lockstep::Shape;
using lockstep::autograd::Variable;
using lockstep::nn::NamedParameter;

SwiGlu::SwiGlu(int64_t width, int64_t hidden)
    : w1_(width, hidden, /*bias=*/false),
      w2_(hidden, width, /*bias=*/false),
      w3_(width, hidden, /*bias=*/false) {}

Variable SwiGlu::Forward(const Variable& input) const {
  const Variable gate = w1_.Forward(input);
  const Variable silu = gate * lockstep::autograd::Sigmoid(gate);
  return w2_.Forward(silu * w3_.Forward(input));
}

absl::StatusOr<Shape> SwiGlu::OutputShape(const Shape& example) const {
  const absl::StatusOr<Shape> hidden = w1_.OutputShape(example);
  return hidden.ok() ? w2_.OutputShape(*hidden) : hidden;
}

std::vector<NamedParameter> SwiGlu::NamedParameters() const {
  return {{"w1.weight", w1_.weight()}, {"w2.weight", w2_.weight()}, {"w3.weight", w3_.weight()}};
}

void SwiGlu::Initialize(uint64_t key, uint64_t first_parameter) {
  w1_.Initialize(key, first_parameter);
  w2_.Initialize(key, first_parameter + 1);
  w3_.Initialize(key, first_parameter + 2);
}

std::string SwiGlu::Describe() const {
  return absl::StrCat("SwiGlu(width=", w1_.in_features(), ", hidden=", w1_.out_features(), ")");
}

lockstep::LayerRegistry Layers() {
  lockstep::LayerRegistry layers;
  const absl::Status added =
      layers.Add("swiglu",
                 [](LayerOptions& options,
                    const Shape& input) -> absl::StatusOr<std::shared_ptr<lockstep::nn::Module>> {
                   const int64_t hidden = options.WholeNumber("hidden", 1, 65536);
                   if (input.rank() == 0)
                     return absl::InvalidArgumentError("want at least one axis");
                   return std::make_shared<SwiGlu>(input.dim(-1), hidden);
                 });
  LOCKSTEP_CHECK(added.ok(), std::string(added.message()));
  return layers;
}

}  // namespace custom_model
