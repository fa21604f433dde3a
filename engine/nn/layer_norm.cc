#include "engine/nn/layer_norm.h"

#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/autograd/normalization_ops.h"
#include "engine/check.h"
#include "engine/nn/initializers.h"

namespace lockstep::nn {
namespace {

using autograd::Variable;

void CheckNormalizedShape(const char* layer, const Shape& shape) {
  LOCKSTEP_CHECK(shape.rank() >= 1 && shape.element_count() >= 1,
                 absl::StrCat(layer, " over axes of shape ", shape.ToString()));
}

// An example's shape is kept where its last axes are `normalized`.
absl::StatusOr<Shape> KeptShape(const char* layer, const Shape& normalized, const Shape& example) {
  const int leading = example.rank() - normalized.rank();
  bool fits = leading >= 0;
  for (int i = 0; fits && i < normalized.rank(); ++i) {
    fits = example.dim(leading + i) == normalized.dim(i);
  }
  if (fits) return example;
  return absl::InvalidArgumentError(absl::StrCat(layer, ": got an example of shape ",
                                                 example.ToString(), ", want last axes ",
                                                 normalized.ToString()));
}

// Python's tuple: "(128,)", "(3, 4)".
std::string TupleText(const Shape& shape) {
  return absl::StrCat("(", absl::StrJoin(shape.extents(), ", "), shape.rank() == 1 ? ",)" : ")");
}

const char* BoolText(bool value) { return value ? "True" : "False"; }

}  // namespace

LayerNorm::LayerNorm(Shape normalized_shape, const Options& options)
    : normalized_shape_(std::move(normalized_shape)), options_(options) {
  CheckNormalizedShape("LayerNorm", normalized_shape_);
  if (!options_.elementwise_affine) return;
  weight_ = MakeParameter(normalized_shape_);
  if (options_.bias) bias_ = MakeParameter(normalized_shape_);
}

Variable LayerNorm::Forward(const Variable& input) const {
  return autograd::LayerNorm(input, normalized_shape_, weight_, bias_, options_.epsilon);
}

absl::StatusOr<Shape> LayerNorm::OutputShape(const Shape& example_shape) const {
  return KeptShape("layer_norm", normalized_shape_, example_shape);
}

std::vector<NamedParameter> LayerNorm::NamedParameters() const {
  std::vector<NamedParameter> parameters;
  if (weight_.defined()) parameters.push_back({"weight", weight_});
  if (bias_.defined()) parameters.push_back({"bias", bias_});
  return parameters;
}

void LayerNorm::Initialize(uint64_t, uint64_t) {
  if (weight_.defined()) InitializeConstant(1, weight_);
  if (bias_.defined()) InitializeConstant(0, bias_);
}

std::string LayerNorm::Describe() const {
  return absl::StrCat("LayerNorm(", TupleText(normalized_shape_), ", eps=", options_.epsilon,
                      ", elementwise_affine=", BoolText(weight_.defined()),
                      ", bias=", BoolText(bias_.defined()), ")");
}

RMSNorm::RMSNorm(Shape normalized_shape, const Options& options)
    : normalized_shape_(std::move(normalized_shape)), options_(options) {
  CheckNormalizedShape("RMSNorm", normalized_shape_);
  if (options_.elementwise_affine) weight_ = MakeParameter(normalized_shape_);
}

Variable RMSNorm::Forward(const Variable& input) const {
  const double epsilon =
      options_.epsilon > 0 ? options_.epsilon : std::numeric_limits<float>::epsilon();
  return autograd::RmsNorm(input, normalized_shape_, weight_, epsilon);
}

absl::StatusOr<Shape> RMSNorm::OutputShape(const Shape& example_shape) const {
  return KeptShape("rms_norm", normalized_shape_, example_shape);
}

std::vector<NamedParameter> RMSNorm::NamedParameters() const {
  if (!weight_.defined()) return {};
  return {{"weight", weight_}};
}

void RMSNorm::Initialize(uint64_t, uint64_t) {
  if (weight_.defined()) InitializeConstant(1, weight_);
}

std::string RMSNorm::Describe() const {
  return absl::StrCat("RMSNorm(", TupleText(normalized_shape_),
                      ", eps=", options_.epsilon > 0 ? absl::StrCat(options_.epsilon) : "None",
                      ", elementwise_affine=", BoolText(weight_.defined()), ")");
}

}  // namespace lockstep::nn
