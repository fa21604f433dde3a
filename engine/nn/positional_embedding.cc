#include "engine/nn/positional_embedding.h"

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/autograd/embedding_ops.h"
#include "engine/check.h"
#include "engine/kernels/rotary_table.h"
#include "engine/nn/initializers.h"

namespace lockstep::nn {
namespace {

using autograd::Variable;

Tensor SinusoidalTable(int64_t context, int64_t width) {
  const int64_t pairs = width / 2;
  std::vector<float> cosines(context * pairs), sines(context * pairs);
  kernels::FillRotaryTable(context, width, /*base=*/10000, cosines.data(), sines.data());
  Tensor table = Tensor::Empty({context, width});
  for (int64_t i = 0; i < context * pairs; ++i) {
    table.data<float>()[2 * i] = sines[i];
    table.data<float>()[2 * i + 1] = cosines[i];
  }
  return table;
}

}  // namespace

PositionalEmbedding::PositionalEmbedding(int64_t context, int64_t width)
    : context_(context), width_(width) {
  LOCKSTEP_CHECK(context >= 1 && width >= 1,
                 absl::StrCat("positional embedding of context ", context, " and width ", width));
}

absl::StatusOr<Shape> PositionalEmbedding::OutputShape(const Shape& example_shape) const {
  if (example_shape.rank() == 2 && example_shape.dim(0) <= context_ &&
      example_shape.dim(1) == width_) {
    return example_shape;
  }
  return absl::InvalidArgumentError(absl::StrCat("positional_embedding: got an example of shape ",
                                                 example_shape.ToString(), ", want [length, ",
                                                 width_, "] with a length up to ", context_));
}

LearnedPositionalEmbedding::LearnedPositionalEmbedding(int64_t context, int64_t width)
    : PositionalEmbedding(context, width), weight_(MakeParameter({context, width})) {}

Variable LearnedPositionalEmbedding::Forward(const Variable& input) const {
  return autograd::AddPositions(input, weight_);
}

std::vector<NamedParameter> LearnedPositionalEmbedding::NamedParameters() const {
  return {{"weight", weight_}};
}

void LearnedPositionalEmbedding::Initialize(uint64_t key, uint64_t first_parameter) {
  InitializeNormal({key, first_parameter}, /*mean=*/0, /*standard_deviation=*/0.02f, weight_);
}

std::string LearnedPositionalEmbedding::Describe() const {
  return absl::StrCat("LearnedPositionalEmbedding(", context_, ", ", width_, ")");
}

SinusoidalPositionalEmbedding::SinusoidalPositionalEmbedding(int64_t context, int64_t width)
    : PositionalEmbedding(context, width) {
  LOCKSTEP_CHECK(width % 2 == 0, absl::StrCat("SinusoidalPositionalEmbedding: got width ", width,
                                              ", want an even one"));
}

Variable SinusoidalPositionalEmbedding::Forward(const Variable& input) const {
  std::call_once(table_once_, [this] { table_ = Variable(SinusoidalTable(context_, width_)); });
  if (input.dtype() == table_.dtype()) return autograd::AddPositions(input, table_);
  return autograd::AddPositions(input, Variable(table_.value().To(input.dtype())));
}

std::string SinusoidalPositionalEmbedding::Describe() const {
  return absl::StrCat("SinusoidalPositionalEmbedding(", context_, ", ", width_, ")");
}

}  // namespace lockstep::nn
