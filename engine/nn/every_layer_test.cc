// GradientCheck of every layer, one row each: of its input and of all its
// parameters, float64 against differences, float32 against float64. The headers
// are read to see that none is missing here.
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "engine/autograd/gradient_check.h"
#include "engine/nn/activations.h"
#include "engine/nn/batch_norm.h"
#include "engine/nn/convolution.h"
#include "engine/nn/dropout.h"
#include "engine/nn/embedding.h"
#include "engine/nn/flatten.h"
#include "engine/nn/group_norm.h"
#include "engine/nn/layer_norm.h"
#include "engine/nn/linear.h"
#include "engine/nn/multihead_attention.h"
#include "engine/nn/pooling.h"
#include "engine/nn/positional_embedding.h"
#include "engine/nn/recurrent.h"
#include "engine/nn/reshape.h"
#include "engine/nn/residual.h"
#include "engine/nn/sequential.h"
#include "engine/nn/softmax.h"
#include "engine/nn/training_scope.h"
#include "engine/nn/transformer_block.h"
#include "gtest/gtest.h"

namespace lockstep::nn {
namespace {

using autograd::DistinctValues;
using autograd::TestValues;
using autograd::Variable;

// "" where all gradients are right.
std::string CheckLayer(const Module& layer, const Tensor& input, bool training) {
  Variable x(input, /*requires_grad=*/input.dtype() != DType::kInt64);
  std::vector<Variable> leaves, statistics;
  if (x.requires_grad()) leaves.push_back(x);
  int salt = 20;
  for (NamedParameter parameter : layer.NamedParameters()) {
    // Not 0 or 1 everywhere, as many initial values are.
    parameter.variable.SetValue(TestValues(parameter.variable.shape(), 0.2f, 1, ++salt));
    const bool trained = parameter.kind == ParameterKind::kTrained;
    (trained ? leaves : statistics).push_back(parameter.variable);
  }
  const auto forward = [&] {
    for (Variable& statistic : statistics) statistic.ConvertTo(leaves[0].dtype());
    if (!training) return layer.Forward(x);
    const TrainingScope scope({/*key=*/3, /*step=*/4, /*first_example=*/5});
    return layer.Forward(x);
  };
  return autograd::CheckLeafGradients(forward, leaves);
}

struct Case {
  std::string name;  // the class's
  std::shared_ptr<Module> layer;
  Tensor input;
};

std::vector<Case> ElementwiseCases() {
  Tensor x = TestValues({3, 4}, 0.2f, 2);  // away from the kinks at 0
  for (int64_t i = 0; i < x.element_count(); i += 2) x.data<float>()[i] *= -1;
  return {{"ReLU", std::make_shared<ReLU>(), x},
          {"Tanh", std::make_shared<Tanh>(), x},
          {"Sigmoid", std::make_shared<Sigmoid>(), x},
          {"LeakyReLU", std::make_shared<LeakyReLU>(0.1), x},
          {"ELU", std::make_shared<ELU>(0.5), x},
          {"GELU", std::make_shared<GELU>(), x},
          {"GELU", std::make_shared<GELU>(GELU::Approximate::kTanh), x},
          {"SiLU", std::make_shared<SiLU>(), x},
          {"Softplus", std::make_shared<Softplus>(2, 3), x},
          {"Hardtanh", std::make_shared<Hardtanh>(-1.05, 1.05), x},
          {"ReLU6", std::make_shared<ReLU6>(), x},
          {"Dropout", std::make_shared<Dropout>(0.4f), x},
          {"Softmax", std::make_shared<Softmax>(), x},
          {"LogSoftmax", std::make_shared<LogSoftmax>(), x},
          {"Flatten", std::make_shared<Flatten>(), TestValues({2, 3, 4})},
          {"Reshape", std::make_shared<Reshape>(Shape{2, 2}), x}};
}

std::vector<Case> ConvolutionCases() {
  const Tensor row = DistinctValues({2, 4, 9}), image = DistinctValues({2, 4, 5, 6});
  autograd::ConvolutionOptions convolution;
  convolution.stride = {2, 1};
  convolution.padding = {1, 2};
  convolution.groups = 2;
  const autograd::PoolingOptions pooling = {/*kernel=*/{2, 3}, /*stride=*/{1, 2},
                                            /*padding=*/{1, 1}};
  const autograd::HeightWidth kernel = {3, 2}, size = {2, 4};
  return {{"Conv1d", std::make_shared<Conv1d>(4, 6, 3, 2, 1), row},
          {"Conv2d", std::make_shared<Conv2d>(4, 6, kernel, convolution), image},
          {"MaxPool1d", std::make_shared<MaxPool1d>(3, 2, 1), row},
          {"MaxPool2d", std::make_shared<MaxPool2d>(pooling), image},
          {"AvgPool1d", std::make_shared<AvgPool1d>(3, 2, 1), row},
          {"AvgPool2d", std::make_shared<AvgPool2d>(pooling), image},
          {"AdaptiveAvgPool1d", std::make_shared<AdaptiveAvgPool1d>(4), row},
          {"AdaptiveAvgPool2d", std::make_shared<AdaptiveAvgPool2d>(size), image},
          {"OneChannel", std::make_shared<OneChannel>(std::make_shared<Conv1d>(1, 2, 3)),
           TestValues({2, 5})}};
}

std::vector<Case> NormCases() {
  const Tensor x = TestValues({5, 4}), image = TestValues({2, 4, 3, 2});
  return {{"BatchNorm1d", std::make_shared<BatchNorm1d>(4), x},
          {"BatchNorm2d", std::make_shared<BatchNorm2d>(4), image},
          {"GroupNorm", std::make_shared<GroupNorm>(2, 4), image},
          {"LayerNorm", std::make_shared<LayerNorm>(Shape{4}), x},
          {"RMSNorm", std::make_shared<RMSNorm>(Shape{4}), x}};
}

std::vector<Case> SequenceCases() {
  const Tensor sequence = TestValues({2, 3, 4});
  const Tensor tokens = Tensor::FromVector({2, 3}, std::vector<int64_t>{4, 0, 4, 1, 2, 1});
  RecurrentOptions recurrent;
  recurrent.num_layers = 2;
  MultiheadAttention::Options attention;
  attention.causal = true;
  attention.rotary_base = 100;
  attention.dropout = 0.3f;
  TransformerBlock::Options block;
  block.mlp_ratio = 2;
  block.mlp_dropout = 0.3f;
  return {
      {"Embedding", std::make_shared<Embedding>(5, 3), tokens},
      {"LearnedPositionalEmbedding", std::make_shared<LearnedPositionalEmbedding>(6, 4), sequence},
      {"SinusoidalPositionalEmbedding", std::make_shared<SinusoidalPositionalEmbedding>(6, 4),
       sequence},
      {"MultiheadAttention", std::make_shared<MultiheadAttention>(4, 2, attention), sequence},
      {"TransformerBlock", std::make_shared<TransformerBlock>(4, 2, block), sequence},
      {"LSTM", std::make_shared<LSTM>(4, 3, recurrent), sequence},
      {"GRU", std::make_shared<GRU>(4, 3, recurrent), sequence},
  };
}

std::vector<Case> ContainerCases() {
  const auto layers = [] {
    return std::make_shared<Sequential>(std::vector<std::shared_ptr<Module>>{
        std::make_shared<Linear>(4, 4), std::make_shared<Tanh>(), std::make_shared<Linear>(4, 4)});
  };
  const Tensor x = TestValues({3, 4});
  return {{"Linear", std::make_shared<Linear>(4, 3), x},
          {"Sequential", layers(), x},
          {"Residual", std::make_shared<Residual>(layers(), std::make_shared<Linear>(4, 4)), x}};
}

std::vector<Case> AllCases() {
  std::vector<Case> all;
  for (auto cases :
       {ElementwiseCases, ConvolutionCases, NormCases, SequenceCases, ContainerCases}) {
    for (Case& one : cases()) all.push_back(std::move(one));
  }
  return all;
}

TEST(EveryLayerTest, HasTheGradientsOfItsDifferences) {
  for (const Case& test : AllCases()) {
    for (const bool training : {true, false}) {
      EXPECT_EQ(CheckLayer(*test.layer, test.input, training), "")
          << test.name << (training ? " in training" : " in evaluation");
    }
  }
}

// Classes of the headers that can be made: those that no other derives from.
std::set<std::string> DeclaredLayers() {
  std::set<std::string> modules = {"Module"}, bases, names;
  const std::regex derives("^class (\\w+) : public (\\w+) \\{");
  for (int pass = 0; pass < 3; ++pass) {  // whichever header comes first
    for (const auto& entry : std::filesystem::directory_iterator("engine/nn")) {
      if (entry.path().extension() != ".h") continue;
      std::ifstream header(entry.path());
      std::smatch match;
      for (std::string line; std::getline(header, line);) {
        if (!std::regex_search(line, match, derives) || modules.count(match[2]) == 0) continue;
        modules.insert(match[1]);
        names.insert(match[1]);
        bases.insert(match[2]);
      }
    }
  }
  for (const std::string& base : bases) names.erase(base);
  return names;
}

TEST(EveryLayerTest, NoneIsMissing) {
  std::set<std::string> missing = DeclaredLayers();
  ASSERT_GT(missing.size(), 30u);
  for (const Case& test : AllCases()) missing.erase(test.name);
  EXPECT_EQ(missing, std::set<std::string>{});
}

}  // namespace
}  // namespace lockstep::nn
