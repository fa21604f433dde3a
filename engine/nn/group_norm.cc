#include "engine/nn/group_norm.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/autograd/channel_norm_ops.h"
#include "engine/check.h"
#include "engine/nn/initializers.h"

namespace lockstep::nn {

using autograd::Variable;

GroupNorm::GroupNorm(int64_t groups, int64_t channels, double epsilon, bool affine)
    : groups_(groups), channels_(channels), epsilon_(epsilon) {
  LOCKSTEP_CHECK(groups >= 1 && channels >= 1 && channels % groups == 0,
                 absl::StrCat("GroupNorm of ", groups, " groups over ", channels, " channels"));
  if (!affine) return;
  weight_ = MakeParameter({channels});
  bias_ = MakeParameter({channels});
}

Variable GroupNorm::Forward(const Variable& input) const {
  return autograd::GroupNorm(input, groups_, weight_, bias_, epsilon_);
}

absl::StatusOr<Shape> GroupNorm::OutputShape(const Shape& example_shape) const {
  if (example_shape.rank() >= 1 && example_shape.dim(0) == channels_) return example_shape;
  return absl::InvalidArgumentError(absl::StrCat("group_norm: got an example of shape ",
                                                 example_shape.ToString(),
                                                 ", want a first axis of ", channels_));
}

std::vector<NamedParameter> GroupNorm::NamedParameters() const {
  if (!weight_.defined()) return {};
  return {{"weight", weight_}, {"bias", bias_}};
}

void GroupNorm::Initialize(uint64_t, uint64_t) {
  if (weight_.defined()) InitializeConstant(1, weight_);
  if (bias_.defined()) InitializeConstant(0, bias_);
}

std::string GroupNorm::Describe() const {
  const char* affine = weight_.defined() ? "True" : "False";
  return absl::StrCat("GroupNorm(", groups_, ", ", channels_, ", eps=", epsilon_,
                      ", affine=", affine, ", bias=", affine, ")");
}

}  // namespace lockstep::nn
