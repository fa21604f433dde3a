#include "engine/nn/multihead_attention.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/autograd/linear_ops.h"
#include "engine/check.h"
#include "engine/nn/initializers.h"

namespace lockstep::nn {

using autograd::Variable;

MultiheadAttention::MultiheadAttention(int64_t embed_dim, int64_t num_heads, const Options& options)
    : embed_dim_(embed_dim),
      num_heads_(num_heads),
      options_(options),
      out_proj_(embed_dim, embed_dim, options.bias),
      dropout_(options.dropout) {
  LOCKSTEP_CHECK(num_heads >= 1 && embed_dim >= 1 && embed_dim % num_heads == 0,
                 absl::StrCat("MultiheadAttention of ", num_heads, " heads over ", embed_dim));
  LOCKSTEP_CHECK(options.rotary_base == 0 || embed_dim / num_heads % 2 == 0,
                 absl::StrCat("MultiheadAttention: rotary embedding of heads of ",
                              embed_dim / num_heads, ", want an even number"));
  in_proj_weight_ = MakeParameter({3 * embed_dim, embed_dim});
  if (options.bias) in_proj_bias_ = MakeParameter({3 * embed_dim});
}

autograd::RotaryEmbedding MultiheadAttention::Rotary(int64_t positions, DType dtype) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const Tensor& cosines = rotary_.cosines;
  if (!cosines.defined() || cosines.dim(0) < positions || cosines.dtype() != dtype) {
    rotary_ = autograd::RotaryEmbedding::Make(positions, embed_dim_ / num_heads_,
                                              options_.rotary_base, dtype);
  }
  return rotary_;
}

Variable MultiheadAttention::Forward(const Variable& input) const {
  const Variable qkv = autograd::Linear(input, in_proj_weight_, in_proj_bias_);
  autograd::RotaryEmbedding rotary;
  autograd::SelfAttentionOptions options{num_heads_, options_.causal, nullptr};
  if (options_.rotary_base != 0) {
    rotary = Rotary(qkv.dim(1), qkv.value().dtype());
    options.rotary = &rotary;
  }
  const Variable y = out_proj_.Forward(autograd::SelfAttention(qkv, options));
  return options_.dropout > 0 ? dropout_.Forward(y) : y;
}

absl::StatusOr<Shape> MultiheadAttention::OutputShape(const Shape& example_shape) const {
  if (example_shape.rank() == 2 && example_shape.dim(1) == embed_dim_) return example_shape;
  return absl::InvalidArgumentError(absl::StrCat("multihead_attention: got an example of shape ",
                                                 example_shape.ToString(), ", want [positions, ",
                                                 embed_dim_, "]"));
}

std::vector<NamedParameter> MultiheadAttention::NamedParameters() const {
  std::vector<NamedParameter> parameters = {{"in_proj_weight", in_proj_weight_}};
  if (in_proj_bias_.defined()) parameters.push_back({"in_proj_bias", in_proj_bias_});
  for (NamedParameter& parameter : out_proj_.NamedParameters()) {
    parameter.name = "out_proj." + parameter.name;
    parameters.push_back(parameter);
  }
  return parameters;
}

void MultiheadAttention::Initialize(uint64_t key, uint64_t first_parameter) {
  InitializeXavierUniform({key, first_parameter}, /*gain=*/1, in_proj_weight_);
  if (in_proj_bias_.defined()) InitializeConstant(0, in_proj_bias_);
  out_proj_.Initialize(key, first_parameter + (in_proj_bias_.defined() ? 2 : 1));
  if (out_proj_.bias().defined()) InitializeConstant(0, out_proj_.bias());
}

std::string MultiheadAttention::Describe() const {
  // torch's out_proj is a Linear of this name.
  return absl::StrCat("MultiheadAttention(\n  (out_proj): NonDynamicallyQuantizable",
                      out_proj_.Describe(), "\n)");
}

}  // namespace lockstep::nn
