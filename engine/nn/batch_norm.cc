#include "engine/nn/batch_norm.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/autograd/channel_norm_ops.h"
#include "engine/check.h"
#include "engine/nn/initializers.h"
#include "engine/nn/training_scope.h"

namespace lockstep::nn {

using autograd::Variable;

BatchNorm::BatchNorm(const char* name, std::vector<int> example_ranks, int64_t features,
                     const BatchNormOptions& options)
    : name_(name),
      example_ranks_(std::move(example_ranks)),
      features_(features),
      options_(options),
      running_mean_(MakeParameter({features})),
      running_var_(MakeParameter({features})) {
  LOCKSTEP_CHECK(features >= 1, absl::StrCat(name, " of ", features, " features"));
  if (!options.affine) return;
  weight_ = MakeParameter({features});
  bias_ = MakeParameter({features});
}

Variable BatchNorm::Forward(const Variable& input) const {
  return autograd::BatchNorm(input, weight_, bias_, running_mean_, running_var_,
                             TrainingScope::Current() != nullptr, options_.epsilon);
}

absl::StatusOr<Shape> BatchNorm::OutputShape(const Shape& example_shape) const {
  const bool rank_fits =
      std::count(example_ranks_.begin(), example_ranks_.end(), example_shape.rank()) != 0;
  if (rank_fits && example_shape.dim(0) == features_) return example_shape;
  return absl::InvalidArgumentError(absl::StrCat(
      absl::AsciiStrToLower(name_), ": got an example of shape ", example_shape.ToString(),
      ", want ", absl::StrJoin(example_ranks_, " or "), " axes with a first one of ", features_));
}

std::vector<NamedParameter> BatchNorm::NamedParameters() const {
  std::vector<NamedParameter> parameters;
  if (weight_.defined()) parameters = {{"weight", weight_}, {"bias", bias_}};
  for (const auto& [name, statistic] :
       {std::pair("running_mean", running_mean_), std::pair("running_var", running_var_)}) {
    parameters.push_back({name, statistic, ParameterKind::kRunningStatistic, options_.momentum});
  }
  return parameters;
}

void BatchNorm::Initialize(uint64_t, uint64_t) {
  if (weight_.defined()) InitializeConstant(1, weight_);
  if (bias_.defined()) InitializeConstant(0, bias_);
  InitializeConstant(0, running_mean_);
  InitializeConstant(1, running_var_);
}

std::string BatchNorm::Describe() const {
  const char* affine = options_.affine ? "True" : "False";
  return absl::StrCat(name_, "(", features_, ", eps=", options_.epsilon,
                      ", momentum=", options_.momentum, ", affine=", affine, ", bias=", affine,
                      ", track_running_stats=True)");
}

}  // namespace lockstep::nn
