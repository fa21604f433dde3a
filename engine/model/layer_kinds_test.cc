// Every layer of job.proto as a module: what its fields become, and what it refuses.
#include "engine/model/layer_kinds.h"

#include <google/protobuf/text_format.h>

#include "absl/strings/str_cat.h"
#include "engine/model/build_model.h"
#include "engine/model/field_error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lockstep {
namespace {

v1::JobSpec Spec(const std::string& layer) {
  v1::JobSpec spec;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      absl::StrCat("model { ", layer, " } model { linear { out_features: 2 } }"), &spec))
      << layer;
  return spec;
}

struct Kind {
  const char* layer;
  Shape input;
  const char* description;
  Shape output;
};

TEST(LayerKindsTest, FieldsAndInferredSizesReachTheModule) {
  const Kind kinds[] = {
      {"leaky_relu { negative_slope: 0.25 }", {3}, "LeakyReLU(negative_slope=0.25)", {3}},
      {"elu { alpha: 2 }", {3}, "ELU(alpha=2.0)", {3}},
      {"gelu {}", {3}, "GELU(approximate='none')", {3}},
      {"gelu { approximate: GELU_APPROXIMATION_TANH }", {3}, "GELU(approximate='tanh')", {3}},
      {"silu {}", {3}, "SiLU()", {3}},
      {"softplus { beta: 2 }", {3}, "Softplus(beta=2.0, threshold=20.0)", {3}},
      {"hardtanh { most: 2 }", {3}, "Hardtanh(min_val=-1.0, max_val=2.0)", {3}},
      {"relu6 {}", {3}, "ReLU6()", {3}},
      {"softmax {}", {3}, "Softmax(dim=-1)", {3}},
      {"log_softmax { axis: 1 }", {3, 4}, "LogSoftmax(dim=1)", {3, 4}},
      {"dropout { probability: 0.25 }", {3}, "Dropout(p=0.25, inplace=False)", {3}},
      {"conv1d { out_channels: 4 kernel_size: 3 stride: 2 padding: 1 dilation: 2 groups: 2 }",
       {2, 9},
       "Conv1d(2, 4, kernel_size=(3,), stride=(2,), padding=(1,), dilation=(2,), groups=2)",
       {4, 4}},
      {"conv2d { out_channels: 4 kernel_size: 3 }",
       {1, 8, 9},
       "Conv2d(1, 4, kernel_size=(3, 3), stride=(1, 1))",
       {4, 6, 7}},
      {"conv2d { out_channels: 4 kernel_size: [1, 3] stride: [2, 1] padding: [0, 1] bias: false }",
       {1, 8, 9},
       "Conv2d(1, 4, kernel_size=(1, 3), stride=(2, 1), padding=(0, 1), bias=False)",
       {4, 4, 9}},
      {"max_pool { kernel_size: 2 }",
       {4, 6, 6},
       "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)",
       {4, 3, 3}},
      {"max_pool { kernel_size: 3 stride: 1 padding: 1 }",
       {4, 6},
       "MaxPool1d(kernel_size=3, stride=1, padding=1, dilation=1, ceil_mode=False)",
       {4, 6}},
      {"avg_pool { kernel_size: 2 }",
       {4, 6, 6},
       "AvgPool2d(kernel_size=2, stride=2, padding=0)",
       {4, 3, 3}},
      {"adaptive_avg_pool { output_size: 1 }",
       {4, 6, 6},
       "AdaptiveAvgPool2d(output_size=1)",
       {4, 1, 1}},
      {"adaptive_avg_pool { output_size: 2 }", {4, 6}, "AdaptiveAvgPool1d(output_size=2)", {4, 2}},
      {"batch_norm {}",
       {4, 6, 6},
       "BatchNorm2d(4, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)",
       {4, 6, 6}},
      {"batch_norm { affine: false momentum: 0.5 }",
       {4},
       "BatchNorm1d(4, eps=1e-05, momentum=0.5, affine=False, bias=False, "
       "track_running_stats=True)",
       {4}},
      {"layer_norm {}",
       {4, 6},
       "LayerNorm((6,), eps=1e-05, elementwise_affine=True, bias=True)",
       {4, 6}},
      {"rms_norm { axes: 2 epsilon: 0.5 }",
       {4, 6},
       "RMSNorm((4, 6), eps=0.5, elementwise_affine=True)",
       {4, 6}},
      {"group_norm { groups: 2 }",
       {4, 6},
       "GroupNorm(2, 4, eps=1e-05, affine=True, bias=True)",
       {4, 6}},
      {"learned_positions { context: 9 }", {4, 6}, "LearnedPositionalEmbedding(9, 6)", {4, 6}},
      {"sinusoidal_positions {}", {4, 6}, "SinusoidalPositionalEmbedding(4, 6)", {4, 6}},
      {"lstm { hidden_size: 5 num_layers: 2 }",
       {4, 6},
       "LSTM(6, 5, num_layers=2, batch_first=True)",
       {4, 5}},
      {"gru { hidden_size: 5 last_only: true bias: false }",
       {4, 6},
       "GRU(6, 5, bias=False, batch_first=True)",
       {5}},
  };
  for (const Kind& kind : kinds) {
    const auto model = BuildModel(Spec(kind.layer), kind.input);
    ASSERT_TRUE(model.ok()) << model.status() << " " << kind.layer;
    EXPECT_EQ((*model)->layers()[0]->Describe(), kind.description);
    EXPECT_EQ(*(*model)->layers()[0]->OutputShape(kind.input), kind.output) << kind.layer;
  }
}

TEST(LayerKindsTest, AttentionAndBlocksHaveTheirParts) {
  auto model =
      BuildModel(Spec("multihead_attention { heads: 2 causal: true rotary_base: 10000 }"), {4, 8});
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->NamedParameters()[0].variable.shape(), (Shape{24, 8}));
  model = BuildModel(Spec("transformer_block { heads: 2 mlp_ratio: 3 attention_bias: false "
                          "norm: TRANSFORMER_NORM_RMS activation: TRANSFORMER_ACTIVATION_SILU "
                          "dropout: 0.1 }"),
                     {4, 8});
  ASSERT_TRUE(model.ok()) << model.status();
  std::vector<std::string> names;
  for (const auto& parameter : (*model)->layers()[0]->NamedParameters()) {
    names.push_back(absl::StrCat(parameter.name, parameter.variable.shape().ToString()));
  }
  EXPECT_THAT(names, testing::ElementsAre("ln_1.weight[8]", "attn.in_proj_weight[24, 8]",
                                          "attn.out_proj.weight[8, 8]", "ln_2.weight[8]",
                                          "mlp.0.weight[24, 8]", "mlp.0.bias[24]",
                                          "mlp.2.weight[8, 24]", "mlp.2.bias[8]"));
}

TEST(LayerKindsTest, TokensGoToEmbeddingsAlone) {
  v1::JobSpec spec = Spec("embedding { embedding_dim: 3 padding_index: 1 }");
  spec.mutable_data_summary()->set_vocabulary(7);
  const auto model = BuildModel(spec, {4});
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->layers()[0]->Describe(), "Embedding(7, 3, padding_idx=1)");
  absl::Status status = PlanModel(Spec("embedding { embedding_dim: 3 }"), {4}).status();
  EXPECT_EQ(FieldMessageOf(status),
            "got numbers of shape [4], want tokens: data of text, as the first layer");
  spec = Spec("relu {}");
  spec.mutable_data_summary()->set_vocabulary(7);
  status = PlanModel(spec, {4}).status();
  EXPECT_EQ(FieldPathOf(status), "model[0].relu");
  EXPECT_EQ(FieldMessageOf(status), "got tokens, want numbers; put an embedding layer before it");
  spec = Spec("embedding { embedding_dim: 3 num_embeddings: 6 }");
  spec.mutable_data_summary()->set_vocabulary(7);
  EXPECT_EQ(FieldPathOf(PlanModel(spec, {4}).status()), "model[0].embedding.num_embeddings");
}

struct Refusal {
  const char* layer;
  Shape input;
  const char* path;
  const char* message;
};

TEST(LayerKindsTest, WhatDoesNotFitIsRefusedWithItsField) {
  const Refusal refusals[] = {
      {"conv2d { out_channels: 4 kernel_size: 3 }",
       {28, 28},
       "conv2d",
       "got an example of shape [28, 28], want [channels, height, width]; put reshape: {shape: [1, "
       "28, 28]} before it"},
      {"conv2d { out_channels: 4 kernel_size: 3 groups: 2 }",
       {3, 8, 8},
       "conv2d.groups",
       "got 2, want a divisor of the 3 channels"},
      {"conv2d { out_channels: 4 kernel_size: [1, 2, 3] }",
       {3, 8, 8},
       "conv2d.kernel_size",
       "got 3 numbers, want 1 to 2"},
      {"conv2d { out_channels: 4 }", {3, 8, 8}, "conv2d.kernel_size", "got 0 numbers, want 1 to 2"},
      {"conv2d { out_channels: 4 kernel_size: 3 stride: 0 }",
       {3, 8, 8},
       "conv2d.stride[0]",
       "got 0, want 1 to 65536"},
      {"conv2d { out_channels: 16777216 kernel_size: 65536 }",
       {3, 8, 8},
       "conv2d",
       "got a parameter of shape [16777216, 3, 65536, 65536], want 1 to 2^48 elements"},
      {"max_pool { kernel_size: 2 padding: 2 }",
       {3, 8, 8},
       "max_pool.padding",
       "got 2, want at most 1, half of kernel_size 2"},
      {"max_pool { kernel_size: [2, 2] }",
       {3, 8},
       "max_pool.kernel_size",
       "got 2 numbers, want 1 for examples [3, 8]"},
      {"avg_pool { kernel_size: 2 }",
       {3},
       "avg_pool",
       "got an example of shape [3], want [channels, length] or [channels, height, width]"},
      {"batch_norm {}",
       {1, 2, 3, 4},
       "batch_norm",
       "got an example of shape [1, 2, 3, 4], want [channels], [channels, length] or [channels, "
       "height, width]"},
      {"layer_norm { axes: 3 }",
       {3, 8},
       "layer_norm.axes",
       "got 3, want at most the 2 of examples [3, 8]"},
      {"group_norm { groups: 2 }",
       {3, 8},
       "group_norm.groups",
       "got 2, want a divisor of the 3 channels"},
      {"multihead_attention { heads: 3 }",
       {4, 8},
       "multihead_attention.heads",
       "got 3, want a divisor of the width 8"},
      {"transformer_block { heads: 8 rotary_base: 10000 }",
       {4, 8},
       "transformer_block.rotary_base",
       "got heads of width 1, want an even one for rotary embedding"},
      {"sinusoidal_positions {}",
       {4, 3},
       "sinusoidal_positions",
       "got examples of width 3, want an even one"},
      {"learned_positions { context: 3 }",
       {4, 3},
       "learned_positions.context",
       "got 3, want at least the input's 4 positions"},
      {"lstm { hidden_size: 3 }", {4}, "lstm", "got an example of shape [4], want [times, inputs]"},
      {"dropout { probability: 1 }", {4}, "dropout.probability", "got 1, want 0 <= it < 1"},
      {"hardtanh { least: 2 }", {4}, "hardtanh.least", "got 2, want at most most, 1"},
  };
  for (const Refusal& refusal : refusals) {
    const absl::Status status = PlanModel(Spec(refusal.layer), refusal.input).status();
    EXPECT_EQ(FieldPathOf(status), absl::StrCat("model[0].", refusal.path)) << status;
    EXPECT_EQ(FieldMessageOf(status), refusal.message);
  }
}

}  // namespace
}  // namespace lockstep
