// The ready models beside the layers that they stand for.
#include <google/protobuf/text_format.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/autograd/grad_mode.h"
#include "engine/autograd/variable.h"
#include "engine/model/build_model.h"
#include "engine/model/field_error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lockstep {
namespace {

v1::JobSpec Spec(const std::string& model, const std::string& summary) {
  v1::JobSpec spec;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      absl::StrCat("model { ", model, " } loss { cross_entropy {} } data_summary { ", summary,
                   " }"),
      &spec))
      << model;
  return spec;
}

constexpr char kClasses[] = "classes: 10";
constexpr char kText[] = "classes: 5 vocabulary: 5 label_shape: 8";

// A batch of one.
Shape WithBatch(const Shape& example) {
  std::vector<int64_t> extents = example.extents();
  extents.insert(extents.begin(), 1);
  return Shape(extents);
}

// That both have the same layers, names, initial values and outputs.
void ExpectEqual(const std::string& ready, const std::string& written_out,
                 const std::string& summary, const Shape& input) {
  const auto one = BuildModel(Spec(ready, summary), input);
  const auto other = BuildModel(Spec(written_out, summary), input);
  ASSERT_TRUE(one.ok()) << one.status();
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_EQ((*one)->Describe(), (*other)->Describe());
  const auto parameters = (*one)->NamedParameters(), others = (*other)->NamedParameters();
  ASSERT_EQ(parameters.size(), others.size());
  for (size_t i = 0; i < parameters.size(); ++i) {
    EXPECT_EQ(parameters[i].name, others[i].name);
    EXPECT_EQ(parameters[i].variable.value().ToString(), others[i].variable.value().ToString());
  }
  const autograd::NoGradGuard no_grad;
  const autograd::Variable batch(
      Tensor::Zeros(WithBatch(input), summary == kText ? DType::kInt64 : DType::kFloat32));
  EXPECT_EQ((*one)->Forward(batch).value().ToString(), (*other)->Forward(batch).value().ToString());
}

TEST(ReadyModelsTest, Lenet5StandsForItsLayers) {
  ExpectEqual("lenet5 { activation: ACTIVATION_RELU }", R"(sequential {
      layers { reshape { shape: [1, 28, 28] } }
      layers { conv2d { out_channels: 6 kernel_size: 5 padding: 2 } } layers { relu {} }
      layers { avg_pool { kernel_size: 2 } }
      layers { conv2d { out_channels: 16 kernel_size: 5 } } layers { relu {} }
      layers { avg_pool { kernel_size: 2 } } layers { flatten {} }
      layers { linear { out_features: 120 } } layers { relu {} }
      layers { linear { out_features: 84 } } layers { relu {} }
      layers { linear { out_features: 10 } } })",
              kClasses, {28, 28});
}

TEST(ReadyModelsTest, ResnetStandsForItsLayers) {
  const auto normalized = [](int channels, int kernel, int stride) {
    return absl::StrCat("layers { conv2d { out_channels: ", channels, " kernel_size: ", kernel,
                        " stride: ", stride, " padding: ", kernel / 2,
                        " bias: false init { kaiming_normal { fan: FAN_OUT } } } } "
                        "layers { batch_norm {} } ");
  };
  const auto block = [&](int channels, int stride) {
    std::string shortcut = normalized(channels, 1, stride);
    for (size_t at = 0; (at = shortcut.find("layers", at)) != std::string::npos;) {
      shortcut.replace(at, 6, "shortcut");
    }
    return absl::StrCat("layers { residual { ", normalized(channels, 3, stride),
                        "layers { relu {} } ", normalized(channels, 3, 1),
                        stride > 1 ? shortcut : "", " } } layers { relu {} } ");
  };
  ExpectEqual("resnet { depth: 8 width: 4 }",
              absl::StrCat("sequential { ", normalized(4, 3, 1), "layers { relu {} } ", block(4, 1),
                           block(8, 2), block(16, 2),
                           "layers { adaptive_avg_pool { output_size: 1 } } layers { flatten {} } "
                           "layers { linear { out_features: 10 } } }"),
              kClasses, {3, 12, 12});
}

TEST(ReadyModelsTest, GptStandsForItsLayers) {
  const std::string small = "init { normal { standard_deviation: 0.02 } }";
  ExpectEqual("gpt { layers: 2 heads: 2 width: 8 dropout: 0.1 }",
              absl::StrCat("sequential { layers { embedding { embedding_dim: 8 ", small,
                           " } } layers { learned_positions {} } layers { dropout { probability: "
                           "0.1 } } layers { repeat { times: 2 layers { transformer_block { heads: "
                           "2 dropout: 0.1 ",
                           small,
                           " bias_init { constant {} } } } } } layers { layer_norm {} } "
                           "layers { linear { out_features: 5 bias: false ",
                           small, " } } }"),
              kText, {8});
}

TEST(ReadyModelsTest, GptsPositionsAndNormsAreItsBlocks) {
  const std::string small = "init { normal { standard_deviation: 0.02 } }";
  ExpectEqual(
      "gpt { layers: 1 heads: 2 width: 8 positions: POSITIONS_ROTARY norm: TRANSFORMER_NORM_RMS "
      "activation: TRANSFORMER_ACTIVATION_SILU }",
      absl::StrCat("sequential { layers { embedding { embedding_dim: 8 ", small,
                   " } } layers { dropout { probability: 0 } } layers { repeat { times: 1 layers { "
                   "transformer_block { heads: 2 rotary_base: 10000 norm: TRANSFORMER_NORM_RMS "
                   "activation: TRANSFORMER_ACTIVATION_SILU ",
                   small,
                   " bias_init { constant {} } } } } } layers { rms_norm {} } layers { linear { "
                   "out_features: 5 bias: false ",
                   small, " } } }"),
      kText, {8});
}

TEST(ReadyModelsTest, LstmLmStandsForItsLayers) {
  ExpectEqual("lstm_lm { embedding_dim: 4 hidden_size: 6 layers: 2 dropout: 0.2 }", R"(sequential {
      layers { embedding { embedding_dim: 4 } } layers { dropout { probability: 0.2 } }
      layers { repeat { times: 2 layers { lstm { hidden_size: 6 } }
                        layers { dropout { probability: 0.2 } } } }
      layers { linear { out_features: 5 } } })",
              kText, {8});
}

TEST(ReadyModelsTest, TheyRun) {
  const autograd::NoGradGuard no_grad;
  for (const char* model : {"lenet5 {}", "resnet { depth: 8 width: 2 }"}) {
    const auto built = BuildModel(Spec(model, kClasses), {28, 28});
    ASSERT_TRUE(built.ok()) << built.status();
    const Tensor images = Tensor::Full({2, 28, 28}, 0.5f);
    EXPECT_EQ((*built)->Forward(autograd::Variable(images)).shape(), (Shape{2, 10}));
  }
  for (const char* model : {"gpt { layers: 2 heads: 2 width: 8 positions: POSITIONS_SINUSOIDAL }",
                            "lstm_lm { embedding_dim: 4 hidden_size: 6 }"}) {
    const auto built = BuildModel(Spec(model, kText), {8});
    ASSERT_TRUE(built.ok()) << built.status();
    const Tensor tokens = Tensor::Zeros({3, 8}, DType::kInt64);
    EXPECT_EQ((*built)->Forward(autograd::Variable(tokens)).shape(), (Shape{3, 8, 5}));
  }
}

TEST(ReadyModelsTest, WhatDoesNotFitIsRefused) {
  const auto expect = [](const std::string& model, const char* summary, const Shape& input,
                         const char* path, const char* message) {
    const absl::Status status = PlanModel(Spec(model, summary), input).status();
    EXPECT_EQ(FieldPathOf(status), path) << status;
    EXPECT_EQ(FieldMessageOf(status), message);
  };
  expect("resnet { depth: 18 }", kClasses, {28, 28}, "model[0].resnet.depth",
         "got 18, want 6 n + 2 for some n: 8, 14, 20, ...");
  expect("resnet {}", kClasses, {64}, "model[0].resnet",
         "got an example of shape [64], want an image: [height, width] or [channels, height, "
         "width]");
  expect("lenet5 {}", kClasses, {4, 4}, "model[0].lenet5",
         "conv2d: got an example of shape [6, 2, 2], want at least 5 elements on the "
         "axis of the kernel's 5");
  expect("gpt { layers: 1 heads: 3 width: 8 }", kText, {8}, "model[0].gpt.heads",
         "got 3, want a divisor of the width 8");
  expect("gpt { layers: 1 heads: 2 width: 8 context: 4 }", kText, {8}, "model[0].gpt.context",
         "got 4, want at least the data's context, 8");
  expect("gpt { layers: 1 heads: 2 width: 8 outputs: 4 }", kText, {8}, "model[0].gpt.outputs",
         "got 4 outputs, want at least 5: the labels go from 0 to 4");
  expect("gpt { layers: 1 heads: 2 width: 8 }", kClasses, {8}, "model[0].gpt",
         "got numbers of shape [8], want tokens: data of text, as the first layer");
}

}  // namespace
}  // namespace lockstep
