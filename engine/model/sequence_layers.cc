// Embeddings, attention and recurrent layers.
#include <algorithm>

#include "engine/model/layer_kinds.h"
#include "engine/nn/embedding.h"
#include "engine/nn/multihead_attention.h"
#include "engine/nn/positional_embedding.h"
#include "engine/nn/recurrent.h"
#include "engine/nn/transformer_block.h"

namespace lockstep {
namespace {

using MadeLayer = absl::StatusOr<std::shared_ptr<nn::Module>>;
using Takes = LayerKind::Takes;

MadeLayer MakeEmbedding(const LayerRequest& request) {
  const v1::Embedding& embedding = request.layer.embedding();
  const int64_t tokens = request.builder.vocabulary();
  const int64_t count = embedding.has_num_embeddings() ? embedding.num_embeddings() : tokens;
  if (count < tokens) {
    return request.Error(
        "num_embeddings",
        absl::StrCat("got ", count, ", want at least the data's ", tokens, " tokens"));
  }
  if (embedding.has_padding_index() && embedding.padding_index() >= count) {
    return request.Error("padding_index", absl::StrCat("got ", embedding.padding_index(),
                                                       ", want less than the ", count, " vectors"));
  }
  const absl::Status status = request.CheckParameter({count, embedding.embedding_dim()});
  if (!status.ok()) return status;
  request.SetWidth("embedding_dim");
  const int64_t padding =
      embedding.has_padding_index() ? embedding.padding_index() : autograd::kNoPadding;
  return std::make_shared<nn::Embedding>(count, embedding.embedding_dim(), padding);
}

// Of examples [length, width].
absl::Status CheckSequence(const LayerRequest& request, absl::string_view wanted) {
  if (request.input.shape.rank() == 2) return absl::OkStatus();
  return request.Error("", absl::StrCat("got an example of shape ", request.input.shape.ToString(),
                                        ", want ", wanted));
}

MadeLayer MakeLearnedPositions(const LayerRequest& request) {
  absl::Status status = CheckSequence(request, "[length, width]");
  if (!status.ok()) return status;
  const v1::LearnedPositions& positions = request.layer.learned_positions();
  const int64_t length = request.input.shape.dim(0), width = request.input.shape.dim(1);
  const int64_t context = positions.has_context() ? positions.context() : length;
  if (context < length) {
    return request.Error("context", absl::StrCat("got ", context, ", want at least the input's ",
                                                 length, " positions"));
  }
  status = request.CheckParameter({context, width});
  if (!status.ok()) return status;
  return std::make_shared<nn::LearnedPositionalEmbedding>(context, width);
}

MadeLayer MakeSinusoidalPositions(const LayerRequest& request) {
  const absl::Status status = CheckSequence(request, "[length, width]");
  if (!status.ok()) return status;
  const int64_t length = request.input.shape.dim(0), width = request.input.shape.dim(1);
  if (width % 2 != 0) {
    return request.Error("", absl::StrCat("got examples of width ", width, ", want an even one"));
  }
  return std::make_shared<nn::SinusoidalPositionalEmbedding>(length, width);
}

// What multihead_attention and transformer_block have in common.
absl::Status CheckHeads(const LayerRequest& request, int64_t heads, float rotary_base) {
  const absl::Status status = CheckSequence(request, "[length, width]");
  if (!status.ok()) return status;
  const int64_t width = request.input.shape.dim(1);
  if (width % heads != 0) {
    return request.Error("heads",
                         absl::StrCat("got ", heads, ", want a divisor of the width ", width));
  }
  if (rotary_base > 0 && width / heads % 2 != 0) {
    return request.Error("rotary_base", absl::StrCat("got heads of width ", width / heads,
                                                     ", want an even one for rotary embedding"));
  }
  return request.CheckParameter({3, width, width});
}

MadeLayer MakeMultiheadAttention(const LayerRequest& request) {
  const v1::MultiheadAttention& attention = request.layer.multihead_attention();
  const absl::Status status = CheckHeads(request, attention.heads(), attention.rotary_base());
  if (!status.ok()) return status;
  return std::make_shared<nn::MultiheadAttention>(
      request.input.shape.dim(1), attention.heads(),
      nn::MultiheadAttention::Options{attention.causal(), attention.bias(), attention.rotary_base(),
                                      attention.dropout()});
}

nn::TransformerBlock::Activation ActivationOf(v1::TransformerActivation activation) {
  using Activation = nn::TransformerBlock::Activation;
  switch (activation) {
    case v1::TRANSFORMER_ACTIVATION_RELU:
      return Activation::kRelu;
    case v1::TRANSFORMER_ACTIVATION_GELU_TANH:
      return Activation::kGeluTanh;
    case v1::TRANSFORMER_ACTIVATION_SILU:
      return Activation::kSilu;
    default:  // the default
      return Activation::kGelu;
  }
}

MadeLayer MakeTransformerBlock(const LayerRequest& request) {
  const v1::TransformerBlock& block = request.layer.transformer_block();
  absl::Status status = CheckHeads(request, block.heads(), block.rotary_base());
  if (!status.ok()) return status;
  const int64_t width = request.input.shape.dim(1);
  status = request.CheckParameter({block.mlp_ratio() * width, width});
  if (!status.ok()) return status;
  nn::TransformerBlock::Options options;
  options.mlp_ratio = block.mlp_ratio();
  options.norm = block.norm() == v1::TRANSFORMER_NORM_RMS ? nn::TransformerBlock::Norm::kRms
                                                          : nn::TransformerBlock::Norm::kLayer;
  options.activation = ActivationOf(block.activation());
  options.attention = {block.causal(), block.attention_bias(), block.rotary_base(),
                       block.dropout()};
  options.mlp_dropout = block.dropout();
  return std::make_shared<nn::TransformerBlock>(width, block.heads(), options);
}

template <typename Layer, typename Fields>
MadeLayer MakeRecurrent(const LayerRequest& request, const Fields& fields) {
  absl::Status status = CheckSequence(request, "[times, inputs]");
  if (!status.ok()) return status;
  const int64_t inputs = request.input.shape.dim(1), hidden = fields.hidden_size();
  status = request.CheckParameter({4, hidden, std::max(inputs, hidden)});
  if (!status.ok()) return status;
  request.SetWidth("hidden_size");
  return std::make_shared<Layer>(
      inputs, hidden, nn::RecurrentOptions{fields.num_layers(), fields.bias(), fields.last_only()});
}

MadeLayer MakeLstm(const LayerRequest& request) {
  return MakeRecurrent<nn::LSTM>(request, request.layer.lstm());
}

MadeLayer MakeGru(const LayerRequest& request) {
  return MakeRecurrent<nn::GRU>(request, request.layer.gru());
}

}  // namespace

absl::Span<const LayerKind> SequenceLayers() {
  static constexpr LayerKind kKinds[] = {
      {v1::LayerChoice::kEmbedding, MakeEmbedding, Takes::kTokens},
      {v1::LayerChoice::kLearnedPositions, MakeLearnedPositions},
      {v1::LayerChoice::kSinusoidalPositions, MakeSinusoidalPositions},
      {v1::LayerChoice::kMultiheadAttention, MakeMultiheadAttention},
      {v1::LayerChoice::kTransformerBlock, MakeTransformerBlock},
      {v1::LayerChoice::kLstm, MakeLstm},
      {v1::LayerChoice::kGru, MakeGru},
  };
  return kKinds;
}

}  // namespace lockstep
