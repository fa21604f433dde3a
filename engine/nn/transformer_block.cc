#include "engine/nn/transformer_block.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "engine/autograd/arithmetic_ops.h"
#include "engine/check.h"
#include "engine/nn/activations.h"
#include "engine/nn/dropout.h"
#include "engine/nn/layer_norm.h"
#include "engine/nn/linear.h"
#include "engine/nn/sequential.h"

namespace lockstep::nn {
namespace {

using autograd::Variable;

std::shared_ptr<Module> MakeNorm(TransformerBlock::Norm norm, int64_t width) {
  if (norm == TransformerBlock::Norm::kRms) return std::make_shared<RMSNorm>(Shape{width});
  return std::make_shared<LayerNorm>(Shape{width});
}

std::shared_ptr<Module> MakeActivation(TransformerBlock::Activation activation) {
  switch (activation) {
    case TransformerBlock::Activation::kGeluTanh:
      return std::make_shared<GELU>(GELU::Approximate::kTanh);
    case TransformerBlock::Activation::kRelu:
      return std::make_shared<ReLU>();
    case TransformerBlock::Activation::kSilu:
      return std::make_shared<SiLU>();
    case TransformerBlock::Activation::kGelu:
      break;
  }
  return std::make_shared<GELU>();
}

}  // namespace

TransformerBlock::TransformerBlock(int64_t width, int64_t heads, const Options& options) {
  LOCKSTEP_CHECK(options.mlp_ratio >= 1,
                 absl::StrCat("TransformerBlock with mlp_ratio ", options.mlp_ratio));
  const int64_t hidden = options.mlp_ratio * width;
  std::vector<std::shared_ptr<Module>> mlp = {std::make_shared<Linear>(width, hidden),
                                              MakeActivation(options.activation),
                                              std::make_shared<Linear>(hidden, width)};
  if (options.mlp_dropout > 0) mlp.push_back(std::make_shared<Dropout>(options.mlp_dropout));
  children_ = {{"ln_1", MakeNorm(options.norm, width)},
               {"attn", std::make_shared<MultiheadAttention>(width, heads, options.attention)},
               {"ln_2", MakeNorm(options.norm, width)},
               {"mlp", std::make_shared<Sequential>(mlp)}};
}

Variable TransformerBlock::Forward(const Variable& input) const {
  const auto part = [&](int i, const Variable& x) { return children_[i].module->Forward(x); };
  const Variable x = autograd::Add(input, part(1, part(0, input)));
  return autograd::Add(x, part(3, part(2, x)));
}

absl::StatusOr<Shape> TransformerBlock::OutputShape(const Shape& example_shape) const {
  absl::StatusOr<Shape> shape = children_[1].module->OutputShape(example_shape);
  if (shape.ok()) return shape;
  return absl::Status(shape.status().code(),
                      absl::StrCat("transformer_block: ", shape.status().message()));
}

std::vector<NamedParameter> TransformerBlock::NamedParameters() const {
  std::vector<NamedParameter> parameters;
  for (const Child& child : children_) {
    for (NamedParameter& parameter : child.module->NamedParameters()) {
      parameter.name = absl::StrCat(child.name, ".", parameter.name);
      parameters.push_back(parameter);
    }
  }
  return parameters;
}

void TransformerBlock::Initialize(uint64_t key, uint64_t first_parameter) {
  for (const Child& child : children_) {
    child.module->Initialize(key, first_parameter);
    first_parameter += child.module->NamedParameters().size();
  }
}

std::string TransformerBlock::Describe() const {
  std::string text = "TransformerBlock(\n";
  for (const Child& child : children_) {
    const std::string part = absl::StrReplaceAll(child.module->Describe(), {{"\n", "\n  "}});
    absl::StrAppend(&text, "  (", child.name, "): ", part, "\n");
  }
  return text + ")";
}

}  // namespace lockstep::nn
