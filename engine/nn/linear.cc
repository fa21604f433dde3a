#include "engine/nn/linear.h"

#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/autograd/linear_ops.h"
#include "engine/check.h"
#include "engine/nn/initializers.h"

namespace lockstep::nn {

using autograd::Variable;

Linear::Linear(int64_t in_features, int64_t out_features, bool bias)
    : in_features_(in_features), out_features_(out_features) {
  LOCKSTEP_CHECK(in_features >= 1 && out_features >= 1,
                 absl::StrCat("Linear of sizes ", in_features, " and ", out_features));
  weight_ = MakeParameter({out_features, in_features});
  if (bias) bias_ = MakeParameter({out_features});
}

Variable Linear::Forward(const Variable& input) const {
  return autograd::Linear(input, weight_, bias_);
}

Variable Linear::ForwardRelu(const Variable& input) const {
  return autograd::Linear(input, weight_, bias_, kernels::Activation::kRelu);
}

absl::StatusOr<Shape> Linear::OutputShape(const Shape& example_shape) const {
  if (example_shape.rank() == 0 || example_shape.dim(-1) != in_features_) {
    return absl::InvalidArgumentError(absl::StrCat("linear: got an example of shape ",
                                                   example_shape.ToString(),
                                                   ", want a last axis of ", in_features_));
  }
  std::vector<int64_t> extents = example_shape.extents();
  extents.back() = out_features_;
  return Shape(std::move(extents));
}

std::vector<NamedParameter> Linear::NamedParameters() const {
  std::vector<NamedParameter> parameters = {{"weight", weight_}};
  if (bias_.defined()) parameters.push_back({"bias", bias_});
  return parameters;
}

void Linear::Initialize(uint64_t key, uint64_t first_parameter) {
  const float bound = 1.0f / std::sqrt(static_cast<float>(in_features_));
  InitializeUniform({key, first_parameter}, bound, weight_);
  if (bias_.defined()) InitializeUniform({key, first_parameter + 1}, bound, bias_);
}

std::string Linear::Describe() const {
  return absl::StrCat("Linear(in_features=", in_features_, ", out_features=", out_features_,
                      ", bias=", bias_.defined() ? "True" : "False", ")");
}

}  // namespace lockstep::nn
