#include "engine/nn/reshape.h"

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/autograd/shape_ops.h"
#include "engine/block_pool.h"

namespace lockstep::nn {
namespace {

using autograd::Variable;

// `shape` with its -1 worked out for so many elements; nothing where it does
// not come out.
std::optional<Shape> Resolved(const Shape& shape, int64_t elements) {
  PooledVector<int64_t> extents = shape.extents();
  int64_t known = 1;
  int64_t* open = nullptr;
  for (int64_t& extent : extents) {
    if (extent == -1 && open == nullptr) {
      open = &extent;
    } else if (extent < 1 || extent > elements / known) {
      return std::nullopt;
    } else {
      known *= extent;
    }
  }
  if (open != nullptr && elements % known == 0) *open = elements / known;
  if (open == nullptr ? known != elements : elements % known != 0) return std::nullopt;
  return Shape(std::move(extents));
}

Shape WithLeadingAxis(int64_t extent, const Shape& shape) {
  PooledVector<int64_t> extents = {extent};
  extents.insert(extents.end(), shape.extents().begin(), shape.extents().end());
  return Shape(std::move(extents));
}

Shape ExampleOf(const Variable& batch) {
  const Extents& extents = batch.shape().extents();
  return Shape(absl::MakeConstSpan(extents.begin() + 1, extents.end()));
}

}  // namespace

Variable Reshape::Forward(const Variable& input) const {
  const Shape example = *Resolved(shape_, ExampleOf(input).element_count());
  return autograd::Reshape(input, WithLeadingAxis(input.shape().dim(0), example));
}

absl::StatusOr<Shape> Reshape::OutputShape(const Shape& example_shape) const {
  std::optional<Shape> shape = Resolved(shape_, example_shape.element_count());
  if (shape.has_value()) return *std::move(shape);
  return absl::InvalidArgumentError(absl::StrCat(
      "reshape: got an example of shape ", example_shape.ToString(), " (",
      example_shape.element_count(), " elements), want as many as ", shape_.ToString(), " has"));
}

Variable OneChannel::Forward(const Variable& input) const {
  const Shape example = WithLeadingAxis(1, ExampleOf(input));
  return layer_->Forward(autograd::Reshape(input, WithLeadingAxis(input.shape().dim(0), example)));
}

absl::StatusOr<Shape> OneChannel::OutputShape(const Shape& example_shape) const {
  return layer_->OutputShape(WithLeadingAxis(1, example_shape));
}

}  // namespace lockstep::nn
