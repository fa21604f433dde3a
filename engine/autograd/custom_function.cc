#include "engine/autograd/custom_function.h"

#include "absl/strings/str_cat.h"
#include "engine/check.h"

namespace lockstep::autograd {

const Tensor& SavedTensors::operator[](size_t i) const {
  LOCKSTEP_CHECK(i < tensors_.size(),
                 absl::StrCat("saved tensor ", i, " of ", tensors_.size(), " saved ones"));
  return tensors_[i];
}

void CustomFunction::BackwardOnVariables(const Variable&, const SavedTensors&, GraphGradients&) {
  LOCKSTEP_CHECK(false, absl::StrCat(name(),
                                     " says that it is differentiable twice, but has no "
                                     "BackwardOnVariables"));
}

Variable Apply(const std::shared_ptr<CustomFunction>& function,
               const std::vector<Variable>& inputs) {
  std::vector<Tensor> values;
  for (const Variable& input : inputs) values.push_back(input.value());
  SavedTensors saved;
  Tensor result = function->Forward(values, saved);
  const auto backward = [function, saved](const Tensor& upstream, InputGradients& gradients) {
    function->Backward(upstream, saved, gradients);
  };
  if (!function->differentiable_twice()) {
    return MakeResult(function->name(), std::move(result), inputs, backward);
  }
  return MakeResult(
      function->name(), std::move(result), inputs,
      WithGraph(backward, [function, saved](const Variable& upstream, GraphGradients& gradients) {
        function->BackwardOnVariables(upstream, saved, gradients);
      }));
}

}  // namespace lockstep::autograd
