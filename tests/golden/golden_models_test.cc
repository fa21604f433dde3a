// Small models of every kind follow PyTorch: the loss of each of 100 steps and
// the parameters after them, from the same parameters and data (golden_models.py).
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "engine/check.h"
#include "engine/data/safetensors.h"
#include "engine/data/testing/test_files.h"
#include "engine/nn/activations.h"
#include "engine/nn/batch_norm.h"
#include "engine/nn/convolution.h"
#include "engine/nn/embedding.h"
#include "engine/nn/flatten.h"
#include "engine/nn/layer_norm.h"
#include "engine/nn/linear.h"
#include "engine/nn/loss.h"
#include "engine/nn/pooling.h"
#include "engine/nn/positional_embedding.h"
#include "engine/nn/recurrent.h"
#include "engine/nn/residual.h"
#include "engine/nn/sequential.h"
#include "engine/nn/training_scope.h"
#include "engine/nn/transformer_block.h"
#include "engine/optim/adam.h"
#include "engine/optim/rmsprop.h"
#include "engine/optim/sgd.h"
#include "engine/optim/training_step.h"
#include "tests/testing/process.h"

namespace lockstep::tests {
namespace {

using autograd::HeightWidth;
using nn::Module;
using nn::Sequential;

constexpr int kSteps = 100;
constexpr int64_t kRows = 256, kPixels = 64, kBatch = 32, kContext = 16;
constexpr double kTolerance = 1e-4;

// Layers one after another, written as a list.
template <class... Layers>
std::shared_ptr<Sequential> Chain(Layers... layers) {
  return std::make_shared<Sequential>(std::vector<std::shared_ptr<Module>>{std::move(layers)...});
}

template <class Layer, class... Arguments>
std::shared_ptr<Module> Make(Arguments&&... arguments) {
  return std::make_shared<Layer>(std::forward<Arguments>(arguments)...);
}

std::shared_ptr<Module> Conv(int64_t in, int64_t out, int64_t kernel, int64_t stride, bool bias) {
  autograd::ConvolutionOptions options;
  options.stride = {stride, stride};
  options.padding = {kernel / 2, kernel / 2};
  return Make<nn::Conv2d>(in, out, HeightWidth{kernel, kernel}, options, bias);
}

autograd::PoolingOptions HalfSize() { return {/*kernel=*/{2, 2}, /*stride=*/{2, 2}}; }

std::shared_ptr<Module> BasicBlock(int64_t in, int64_t out, int64_t stride) {
  std::shared_ptr<Module> shortcut;
  if (in != out || stride != 1) {
    shortcut = Chain(Conv(in, out, 1, stride, false), Make<nn::BatchNorm2d>(out));
  }
  return Make<nn::Residual>(
      Chain(Conv(in, out, 3, stride, false), Make<nn::BatchNorm2d>(out), Make<nn::ReLU>(),
            Conv(out, out, 3, 1, false), Make<nn::BatchNorm2d>(out)),
      shortcut);
}

std::shared_ptr<Module> ResNet() {
  return Chain(Conv(1, 4, 3, 2, false), Make<nn::BatchNorm2d>(4), Make<nn::ReLU>(),
               BasicBlock(4, 4, 1), Make<nn::ReLU>(), BasicBlock(4, 8, 2), Make<nn::ReLU>(),
               Make<nn::AdaptiveAvgPool2d>(HeightWidth{1, 1}), Make<nn::Flatten>(),
               Make<nn::Linear>(8, 10));
}

std::shared_ptr<Module> Gpt() {
  const nn::TransformerBlock::Options options;
  return Chain(Make<nn::Embedding>(17, 16), Make<nn::LearnedPositionalEmbedding>(kContext, 16),
               Make<nn::TransformerBlock>(16, 2, options),
               Make<nn::TransformerBlock>(16, 2, options), Make<nn::LayerNorm>(Shape{16}),
               Make<nn::Linear>(16, 17));
}

std::shared_ptr<optim::Optimizer> AdamOf(double rate, double epsilon) {
  optim::AdamOptions options;
  options.learning_rate = rate;
  options.epsilon = epsilon;
  return std::make_shared<optim::Adam>(options);
}

std::shared_ptr<optim::Optimizer> AdamWOf(double rate, double epsilon, double weight_decay) {
  optim::AdamOptions options;
  options.learning_rate = rate;
  options.epsilon = epsilon;
  options.weight_decay = weight_decay;
  options.decoupled = true;
  return std::make_shared<optim::Adam>(options);
}

std::shared_ptr<optim::Optimizer> SgdOf(double rate) {
  optim::SgdOptions options;
  options.learning_rate = rate;
  options.momentum = 0.9;
  options.weight_decay = 1e-3;
  return std::make_shared<optim::Sgd>(options);
}

std::shared_ptr<optim::Optimizer> RmspropOf(double rate, double epsilon) {
  optim::RmspropOptions options;
  options.learning_rate = rate;
  options.epsilon = epsilon;
  return std::make_shared<optim::Rmsprop>(options);
}

struct GoldenModel {
  std::string name;
  Shape example;
  std::function<std::shared_ptr<Module>()> make;
  std::shared_ptr<optim::Optimizer> optimizer;
};

// For the tests' names.
void PrintTo(const GoldenModel& model, std::ostream* out) { *out << model.name; }

std::vector<GoldenModel> GoldenModels() {
  const auto mlp = [] {
    return Chain(Make<nn::Linear>(64, 24), Make<nn::Tanh>(), Make<nn::Linear>(24, 10));
  };
  const auto cnn = [] {
    return Chain(Conv(1, 4, 3, 1, true), Make<nn::ReLU>(), Make<nn::MaxPool2d>(HalfSize()),
                 Conv(4, 8, 3, 1, true), Make<nn::ReLU>(), Make<nn::AvgPool2d>(HalfSize()),
                 Make<nn::Flatten>(), Make<nn::Linear>(32, 10));
  };
  const auto lstm = [] {
    nn::RecurrentOptions options;
    options.num_layers = 2;
    options.last_only = true;
    return Chain(Make<nn::LSTM>(8, 12, options), Make<nn::Linear>(12, 10));
  };
  const auto gru = [] {
    nn::RecurrentOptions options;
    options.last_only = true;
    return Chain(Make<nn::GRU>(8, 12, options), Make<nn::Linear>(12, 10));
  };
  return {{"mlp", {64}, mlp, AdamOf(0.005, 1e-6)},
          {"cnn", {1, 8, 8}, cnn, SgdOf(0.05)},
          {"resnet", {1, 8, 8}, ResNet, SgdOf(0.008)},
          {"lstm", {8, 8}, lstm, AdamOf(0.01, 1e-6)},
          {"gru", {8, 8}, gru, RmspropOf(0.002, 1e-5)},
          {"gpt", {kContext}, Gpt, AdamWOf(0.003, 1e-5, 0.01)}};
}

// Whole numbers: kPixels pixels and a label in each row.
std::vector<std::vector<int64_t>> Digits() {
  const std::string text = data::ReadTestFile(Runfile("tests/golden/mlp/digits_256.csv"));
  std::vector<std::vector<int64_t>> rows;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    std::vector<int64_t> row;
    for (absl::string_view field : absl::StrSplit(line, ',')) {
      int64_t number = 0;
      LOCKSTEP_CHECK(absl::SimpleAtoi(field, &number), std::string(line));
      row.push_back(number);
    }
    rows.push_back(row);
  }
  LOCKSTEP_CHECK_EQ(static_cast<int64_t>(rows.size()), kRows);
  return rows;
}

struct Batch {
  Tensor inputs;
  Tensor labels;
};

Batch BatchOf(const GoldenModel& model, const std::vector<std::vector<int64_t>>& digits, int step) {
  const bool tokens = model.name == "gpt";
  std::vector<float> pixels;
  std::vector<int64_t> words, labels;
  for (int64_t i = 0; i < kBatch; ++i) {
    const std::vector<int64_t>& row = digits[(step * kBatch + i) % kRows];
    for (int64_t j = 0; j < kPixels; ++j) pixels.push_back(static_cast<float>(row[j]) / 16);
    for (int64_t j = 0; tokens && j < kContext; ++j) {
      words.push_back(row[j]);
      labels.push_back(row[j + 1]);
    }
    if (!tokens) labels.push_back(row[kPixels]);
  }
  std::vector<int64_t> extents = model.example.extents();
  extents.insert(extents.begin(), kBatch);
  const Shape shape(std::move(extents));
  if (tokens) return {Tensor::FromVector(shape, words), Tensor::FromVector(shape, labels)};
  return {Tensor::FromVector(shape, pixels), Tensor::FromVector({kBatch}, labels)};
}

std::map<std::string, Tensor> ReadParameters(const std::string& path) {
  auto file = data::ReadSafetensors(Runfile("tests/golden/models/" + path));
  LOCKSTEP_CHECK(file.ok(), file.status().ToString());
  std::map<std::string, Tensor> parameters;
  for (const data::NamedTensor& tensor : file->tensors) parameters[tensor.name] = tensor.tensor;
  return parameters;
}

std::vector<double> ReadLosses(const std::string& name) {
  const std::string text = data::ReadTestFile(Runfile("tests/golden/models/" + name + ".losses"));
  std::vector<double> losses;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    losses.emplace_back();
    LOCKSTEP_CHECK(absl::SimpleAtod(line, &losses.back()), std::string(line));
  }
  LOCKSTEP_CHECK_EQ(static_cast<int>(losses.size()), kSteps);
  return losses;
}

double Length(const Tensor& tensor) {
  double squares = 0;
  for (float value : tensor.span<float>()) squares += static_cast<double>(value) * value;
  return std::sqrt(squares);
}

double Distance(const Tensor& got, const Tensor& want) {
  double squares = 0;
  for (int64_t i = 0; i < want.element_count(); ++i) {
    const double error = static_cast<double>(got.data<float>()[i]) - want.data<float>()[i];
    squares += error * error;
  }
  return std::sqrt(squares);
}

class GoldenModelsTest : public ::testing::TestWithParam<GoldenModel> {};

TEST_P(GoldenModelsTest, FollowPyTorch) {
  const GoldenModel& golden = GetParam();
  const std::shared_ptr<Module> model = golden.make();
  const std::map<std::string, Tensor> initial =
      ReadParameters(golden.name + "_initial.safetensors");
  ASSERT_EQ(initial.size(), model->NamedParameters().size());
  for (nn::NamedParameter parameter : model->NamedParameters()) {
    ASSERT_TRUE(initial.count(parameter.name)) << parameter.name;
    parameter.variable.SetValue(initial.at(parameter.name));
  }
  const std::vector<std::vector<int64_t>> digits = Digits();
  const std::vector<double> losses = ReadLosses(golden.name);
  optim::TrainingStep training(
      *model, optim::UpdateRules::Uniform(nn::ParameterLayout::Of(*model), golden.optimizer));
  for (int step = 0; step < kSteps; ++step) {
    const Batch batch = BatchOf(golden, digits, step);
    const nn::TrainingScope scope({/*key=*/0, static_cast<uint64_t>(step), /*first_example=*/0});
    const nn::LossResult result =
        nn::CrossEntropy().Forward(model->Forward(autograd::Variable(batch.inputs)), batch.labels);
    const double loss = nn::SumLosses(result.losses.value()) / kBatch;
    ASSERT_NEAR(loss, losses[step], kTolerance * losses[step]) << "step " << step;
    result.losses.Backward(Tensor::Full({kBatch}, 1), {/*overwrite_leaf_gradients=*/true});
    training.Apply(kBatch);
  }
  const std::map<std::string, Tensor> final = ReadParameters(golden.name + "_final.safetensors");
  for (const nn::NamedParameter& parameter : model->NamedParameters()) {
    ASSERT_TRUE(final.count(parameter.name)) << parameter.name;
    const Tensor& want = final.at(parameter.name);
    EXPECT_LE(Distance(parameter.variable.value(), want), kTolerance * Length(want))
        << parameter.name;
    // Most move by far more; a batch norm's weight, which begins at 1, by 1.6 %.
    EXPECT_GT(Distance(parameter.variable.value(), initial.at(parameter.name)),
              100 * kTolerance * Length(want))
        << parameter.name << " hardly moved: this would show nothing";
  }
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenModelsTest, ::testing::ValuesIn(GoldenModels()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace lockstep::tests
