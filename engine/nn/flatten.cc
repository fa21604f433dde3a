#include "engine/nn/flatten.h"

#include "engine/autograd/shape_ops.h"

namespace lockstep::nn {

autograd::Variable Flatten::Forward(const autograd::Variable& input) const {
  return autograd::Flatten(input);
}

absl::StatusOr<Shape> Flatten::OutputShape(const Shape& example_shape) const {
  return Shape{example_shape.element_count()};
}

}  // namespace lockstep::nn
