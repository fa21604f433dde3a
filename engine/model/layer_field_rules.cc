// The table of layer_fields.h: a row for each field of a layer that is a number,
// a list of numbers, a truth value or a word.
#include <cmath>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/model/layer_fields.h"

namespace lockstep {
namespace {

using Kind = LayerFieldRule::Kind;

// The widest layer.
constexpr double kMaxWidth = 1 << 24;
// The greatest window, stride and so on of convolutions and pooling.
constexpr double kMaxWindow = 65536;
constexpr double kMaxRotaryBase = 1e9;
constexpr double kMaxBlocks = 1000;

// Ways to write a row's second half.

LayerFieldRule Range(double least, double most, std::optional<double> otherwise = std::nullopt) {
  return {"", "", Kind::kRange, least, most, 0, 0, otherwise};
}
// A list. With a default an empty one becomes a list of that number.
LayerFieldRule Counts(double least, double most, int least_count, int most_count,
                      std::optional<double> otherwise = std::nullopt) {
  return {"", "", Kind::kRange, least, most, least_count, most_count, otherwise};
}
LayerFieldRule Flag(bool otherwise) {
  return {"", "", Kind::kFlag, 0, 0, 0, 0, otherwise ? 1.0 : 0.0};
}
LayerFieldRule Word(int otherwise) { return {"", "", Kind::kWord, 0, 0, 0, 0, otherwise}; }
LayerFieldRule Positive(std::optional<double> otherwise = std::nullopt) {
  return {"", "", Kind::kPositive, 0, 0, 0, 0, otherwise};
}
LayerFieldRule Finite(double otherwise) { return {"", "", Kind::kFinite, 0, 0, 0, 0, otherwise}; }
LayerFieldRule Fraction(double otherwise) {
  return {"", "", Kind::kFraction, 0, 0, 0, 0, otherwise};
}

struct Row {
  const char* message;
  const char* field;
  LayerFieldRule rule;
};

std::vector<Row> BasicRows() {
  return {
      {"Linear", "out_features", Range(1, kMaxWidth)},
      {"Linear", "bias", Flag(true)},
      {"Reshape", "shape", Counts(-1, kMaxWidth, 1, 8)},
      {"Repeat", "times", Range(1, kMaxLayers)},
      {"LeakyRelu", "negative_slope", Finite(0.01)},
      {"Elu", "alpha", Finite(1)},
      {"Gelu", "approximate", Word(v1::GELU_APPROXIMATION_NONE)},
      {"Softplus", "beta", Positive(1)},
      {"Softplus", "threshold", Finite(20)},
      {"Hardtanh", "least", Finite(-1)},
      {"Hardtanh", "most", Finite(1)},
      {"Softmax", "axis", Range(-8, 8, -1)},
      {"LogSoftmax", "axis", Range(-8, 8, -1)},
      {"Dropout", "probability", Fraction(0.5)},
  };
}

std::vector<Row> ConvolutionRows() {
  return {
      {"Conv1d", "out_channels", Range(1, kMaxWidth)},
      {"Conv1d", "kernel_size", Range(1, kMaxWindow)},
      {"Conv1d", "stride", Range(1, kMaxWindow, 1)},
      {"Conv1d", "padding", Range(0, kMaxWindow, 0)},
      {"Conv1d", "dilation", Range(1, kMaxWindow, 1)},
      {"Conv1d", "groups", Range(1, kMaxWidth, 1)},
      {"Conv1d", "bias", Flag(true)},
      {"Conv2d", "out_channels", Range(1, kMaxWidth)},
      {"Conv2d", "kernel_size", Counts(1, kMaxWindow, 1, 2)},
      {"Conv2d", "stride", Counts(1, kMaxWindow, 1, 2, 1)},
      {"Conv2d", "padding", Counts(0, kMaxWindow, 1, 2, 0)},
      {"Conv2d", "dilation", Counts(1, kMaxWindow, 1, 2, 1)},
      {"Conv2d", "groups", Range(1, kMaxWidth, 1)},
      {"Conv2d", "bias", Flag(true)},
      {"MaxPool", "kernel_size", Counts(1, kMaxWindow, 1, 2)},
      {"MaxPool", "stride", Counts(1, kMaxWindow, 0, 2)},
      {"MaxPool", "padding", Counts(0, kMaxWindow / 2, 1, 2, 0)},
      {"AvgPool", "kernel_size", Counts(1, kMaxWindow, 1, 2)},
      {"AvgPool", "stride", Counts(1, kMaxWindow, 0, 2)},
      {"AvgPool", "padding", Counts(0, kMaxWindow / 2, 1, 2, 0)},
      {"AvgPool", "count_padding", Flag(true)},
      {"AdaptiveAvgPool", "output_size", Counts(1, kMaxWindow, 1, 2)},
  };
}

std::vector<Row> NormalizationRows() {
  return {
      {"BatchNorm", "epsilon", Positive(1e-5)},
      {"BatchNorm", "momentum", Range(0, 1, 0.1)},
      {"BatchNorm", "affine", Flag(true)},
      {"LayerNorm", "axes", Range(1, 8, 1)},
      {"LayerNorm", "epsilon", Positive(1e-5)},
      {"LayerNorm", "affine", Flag(true)},
      {"LayerNorm", "bias", Flag(true)},
      {"RmsNorm", "axes", Range(1, 8, 1)},
      {"RmsNorm", "epsilon", Positive(0x1p-23)},
      {"RmsNorm", "affine", Flag(true)},
      {"GroupNorm", "groups", Range(1, kMaxWidth)},
      {"GroupNorm", "epsilon", Positive(1e-5)},
      {"GroupNorm", "affine", Flag(true)},
  };
}

std::vector<Row> SequenceRows() {
  return {
      {"Embedding", "embedding_dim", Range(1, kMaxWidth)},
      {"Embedding", "num_embeddings", Range(1, kMaxWidth)},
      {"Embedding", "padding_index", Range(0, kMaxWidth - 1)},
      {"LearnedPositions", "context", Range(1, kMaxWidth)},
      {"MultiheadAttention", "heads", Range(1, kMaxWidth)},
      {"MultiheadAttention", "causal", Flag(false)},
      {"MultiheadAttention", "bias", Flag(true)},
      {"MultiheadAttention", "rotary_base", Range(0, kMaxRotaryBase, 0)},
      {"MultiheadAttention", "dropout", Fraction(0)},
      {"TransformerBlock", "heads", Range(1, kMaxWidth)},
      {"TransformerBlock", "mlp_ratio", Range(1, 1024, 4)},
      {"TransformerBlock", "norm", Word(v1::TRANSFORMER_NORM_LAYER)},
      {"TransformerBlock", "activation", Word(v1::TRANSFORMER_ACTIVATION_GELU)},
      {"TransformerBlock", "causal", Flag(true)},
      {"TransformerBlock", "attention_bias", Flag(true)},
      {"TransformerBlock", "rotary_base", Range(0, kMaxRotaryBase, 0)},
      {"TransformerBlock", "dropout", Fraction(0)},
      {"Lstm", "hidden_size", Range(1, kMaxWidth)},
      {"Lstm", "num_layers", Range(1, kMaxBlocks, 1)},
      {"Lstm", "bias", Flag(true)},
      {"Lstm", "last_only", Flag(false)},
      {"Gru", "hidden_size", Range(1, kMaxWidth)},
      {"Gru", "num_layers", Range(1, kMaxBlocks, 1)},
      {"Gru", "bias", Flag(true)},
      {"Gru", "last_only", Flag(false)},
  };
}

std::vector<Row> InitializerRows() {
  return {
      {"ConstantValues", "value", Finite(0)},
      {"UniformValues", "bound", Positive()},
      {"NormalValues", "mean", Finite(0)},
      {"NormalValues", "standard_deviation", Positive(1)},
      {"TruncatedNormalValues", "mean", Finite(0)},
      {"TruncatedNormalValues", "standard_deviation", Positive(1)},
      {"TruncatedNormalValues", "cut", Range(1, 6, 2)},
      {"XavierUniform", "gain", Positive(1)},
      {"XavierNormal", "gain", Positive(1)},
      {"KaimingUniform", "gain", Positive(std::sqrt(2.0))},
      {"KaimingUniform", "fan", Word(v1::FAN_IN)},
      {"KaimingNormal", "gain", Positive(std::sqrt(2.0))},
      {"KaimingNormal", "fan", Word(v1::FAN_IN)},
      {"OrthogonalValues", "gain", Positive(1)},
  };
}

std::vector<Row> ReadyModelRows() {
  return {
      {"Mlp", "hidden", Counts(1, kMaxWidth, 0, 1000)},
      {"Mlp", "activation", Word(v1::ACTIVATION_RELU)},
      {"Mlp", "outputs", Range(1, kMaxWidth)},
      {"Lenet5", "activation", Word(v1::ACTIVATION_TANH)},
      {"Lenet5", "outputs", Range(1, kMaxWidth)},
      {"Resnet", "depth", Range(8, 1202, 20)},
      {"Resnet", "width", Range(1, kMaxWindow, 16)},
      {"Resnet", "outputs", Range(1, kMaxWidth)},
      {"Gpt", "layers", Range(1, kMaxBlocks)},
      {"Gpt", "heads", Range(1, kMaxWidth)},
      {"Gpt", "width", Range(1, kMaxWidth)},
      {"Gpt", "context", Range(1, kMaxWidth)},
      {"Gpt", "dropout", Fraction(0)},
      {"Gpt", "mlp_ratio", Range(1, 1024, 4)},
      {"Gpt", "norm", Word(v1::TRANSFORMER_NORM_LAYER)},
      {"Gpt", "activation", Word(v1::TRANSFORMER_ACTIVATION_GELU)},
      {"Gpt", "positions", Word(v1::POSITIONS_LEARNED)},
      {"Gpt", "outputs", Range(1, kMaxWidth)},
      {"LstmLm", "embedding_dim", Range(1, kMaxWidth)},
      {"LstmLm", "hidden_size", Range(1, kMaxWidth)},
      {"LstmLm", "layers", Range(1, kMaxBlocks, 1)},
      {"LstmLm", "dropout", Fraction(0)},
      {"LstmLm", "outputs", Range(1, kMaxWidth)},
  };
}

// By "Linear.out_features".
const std::map<std::string, LayerFieldRule>& Rules() {
  static const auto* const rules = [] {
    auto* made = new std::map<std::string, LayerFieldRule>();
    for (const auto& family : {BasicRows(), ConvolutionRows(), NormalizationRows(), SequenceRows(),
                               InitializerRows(), ReadyModelRows()}) {
      for (const Row& row : family) {
        LayerFieldRule& rule = (*made)[absl::StrCat(row.message, ".", row.field)];
        rule = row.rule;
        rule.message = row.message;
        rule.field = row.field;
      }
    }
    return made;
  }();
  return *rules;
}

}  // namespace

std::string NumberText(double number) {
  const bool whole = number == std::floor(number) && std::abs(number) < 1e15;
  return whole ? absl::StrCat(static_cast<int64_t>(number)) : absl::StrCat(number);
}

std::string LayerFieldRule::Wanted() const {
  if (kind == Kind::kPositive) return "a finite number > 0";
  if (kind == Kind::kFinite) return "a finite number";
  if (kind == Kind::kFraction) return "0 <= it < 1";
  return kind == Kind::kRange ? absl::StrCat(NumberText(least), " to ", NumberText(most)) : "";
}

const LayerFieldRule* FindLayerFieldRule(const google::protobuf::FieldDescriptor& field) {
  const auto found = Rules().find(absl::StrCat(field.containing_type()->name(), ".", field.name()));
  return found == Rules().end() ? nullptr : &found->second;
}

}  // namespace lockstep
