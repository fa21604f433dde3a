#include "engine/nn/softmax.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/autograd/softmax_ops.h"

namespace lockstep::nn {

using autograd::Variable;

absl::StatusOr<Shape> SoftmaxLayer::OutputShape(const Shape& example_shape) const {
  const int rank = example_shape.rank() + 1;
  const int axis = axis_ < 0 ? axis_ + rank : axis_;
  if (axis >= 1 && axis < rank) return example_shape;
  return absl::InvalidArgumentError(absl::StrCat("softmax: got an example of shape ",
                                                 example_shape.ToString(), ", want one with axis ",
                                                 axis_, " (the batch's is 0)"));
}

Variable Softmax::Forward(const Variable& input) const { return autograd::Softmax(input, axis_); }

std::string Softmax::Describe() const { return absl::StrCat("Softmax(dim=", axis_, ")"); }

Variable LogSoftmax::Forward(const Variable& input) const {
  return autograd::LogSoftmax(input, axis_);
}

std::string LogSoftmax::Describe() const { return absl::StrCat("LogSoftmax(dim=", axis_, ")"); }

}  // namespace lockstep::nn
