#include "engine/nn/embedding.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/nn/initializers.h"

namespace lockstep::nn {

using autograd::Variable;

Embedding::Embedding(int64_t num_embeddings, int64_t embedding_dim, int64_t padding_index)
    : num_embeddings_(num_embeddings),
      embedding_dim_(embedding_dim),
      padding_index_(padding_index) {
  LOCKSTEP_CHECK(num_embeddings >= 1 && embedding_dim >= 1,
                 absl::StrCat("Embedding of sizes ", num_embeddings, " and ", embedding_dim));
  LOCKSTEP_CHECK(padding_index >= autograd::kNoPadding && padding_index < num_embeddings,
                 absl::StrCat("Embedding: got padding index ", padding_index, ", want below ",
                              num_embeddings));
  weight_ = MakeParameter({num_embeddings, embedding_dim});
}

Variable Embedding::Forward(const Variable& input) const {
  return autograd::Embedding(input.value(), weight_, padding_index_);
}

absl::StatusOr<Shape> Embedding::OutputShape(const Shape& example_shape) const {
  std::vector<int64_t> extents = example_shape.extents();
  extents.push_back(embedding_dim_);
  return Shape(std::move(extents));
}

std::vector<NamedParameter> Embedding::NamedParameters() const { return {{"weight", weight_}}; }

void Embedding::Initialize(uint64_t key, uint64_t first_parameter) {
  InitializeNormal({key, first_parameter}, /*mean=*/0, /*standard_deviation=*/1, weight_);
  if (padding_index_ == autograd::kNoPadding) return;
  Tensor values = weight_.value();
  std::fill_n(values.data<float>() + padding_index_ * embedding_dim_, embedding_dim_, 0.0f);
}

std::string Embedding::Describe() const {
  const std::string padding =
      padding_index_ == autograd::kNoPadding ? "" : absl::StrCat(", padding_idx=", padding_index_);
  return absl::StrCat("Embedding(", num_embeddings_, ", ", embedding_dim_, padding, ")");
}

}  // namespace lockstep::nn
