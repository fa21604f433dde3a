// A training step of the engine in one process: forward, loss, backward and
// optimizer, without server or network. Prints one JSON object with the median
// and least milliseconds of a step, and the memory that the process took beyond
// what it had before the model. bench/peer_steps.py has the same models in
// PyTorch and JAX; run both in turn.
//
//   engine_step MODEL BATCH OPTIMIZER THREADS SECONDS
//   engine_step gpt 16 adamw 2 3
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "engine/autograd/shape_ops.h"
#include "engine/autograd/variable.h"
#include "engine/nn/activations.h"
#include "engine/nn/convolution.h"
#include "engine/nn/embedding.h"
#include "engine/nn/flatten.h"
#include "engine/nn/layer_norm.h"
#include "engine/nn/linear.h"
#include "engine/nn/loss.h"
#include "engine/nn/parameter_layout.h"
#include "engine/nn/pooling.h"
#include "engine/nn/positional_embedding.h"
#include "engine/nn/sequential.h"
#include "engine/nn/training_scope.h"
#include "engine/nn/transformer_block.h"
#include "engine/optim/adam.h"
#include "engine/optim/sgd.h"
#include "engine/optim/training_step.h"
#include "engine/philox.h"

namespace lockstep {
namespace {

constexpr int64_t kLayers = 4, kHeads = 4, kWidth = 128, kContext = 128, kVocabulary = 65;

// What /proc/self/status says of `field`, in bytes.
int64_t MemoryBytes(const std::string& field) {
  std::ifstream status("/proc/self/status");
  std::string word;
  int64_t kibibytes = 0;
  while (status >> word) {
    if (word == field + ":" && status >> kibibytes) return kibibytes * 1024;
  }
  return 0;
}

std::unique_ptr<nn::Sequential> Mlp(const std::vector<int64_t>& widths) {
  auto model = std::make_unique<nn::Sequential>();
  for (size_t i = 0; i + 1 < widths.size(); ++i) {
    if (i > 0) model->Append(std::make_shared<nn::ReLU>());
    model->Append(std::make_shared<nn::Linear>(widths[i], widths[i + 1]));
  }
  return model;
}

std::unique_ptr<nn::Sequential> Cnn() {
  const autograd::HeightWidth kernel{3, 3};
  const autograd::PoolingOptions halves{/*kernel=*/{2, 2}, /*stride=*/{2, 2}};
  autograd::ConvolutionOptions padded;
  padded.padding = {1, 1};
  auto model = std::make_unique<nn::Sequential>();
  model->Append(std::make_shared<nn::Conv2d>(1, 16, kernel, padded))
      .Append(std::make_shared<nn::ReLU>())
      .Append(std::make_shared<nn::MaxPool2d>(halves))
      .Append(std::make_shared<nn::Conv2d>(16, 32, kernel, padded))
      .Append(std::make_shared<nn::ReLU>())
      .Append(std::make_shared<nn::MaxPool2d>(halves))
      .Append(std::make_shared<nn::Flatten>())
      .Append(std::make_shared<nn::Linear>(32 * 7 * 7, 128))
      .Append(std::make_shared<nn::ReLU>())
      .Append(std::make_shared<nn::Linear>(128, 10));
  return model;
}

std::unique_ptr<nn::Sequential> Gpt() {
  auto model = std::make_unique<nn::Sequential>();
  model->Append(std::make_shared<nn::Embedding>(kVocabulary, kWidth))
      .Append(std::make_shared<nn::LearnedPositionalEmbedding>(kContext, kWidth));
  for (int64_t i = 0; i < kLayers; ++i) {
    model->Append(
        std::make_shared<nn::TransformerBlock>(kWidth, kHeads, nn::TransformerBlock::Options()));
  }
  model->Append(std::make_shared<nn::LayerNorm>(Shape{kWidth}))
      .Append(std::make_shared<nn::Linear>(kWidth, kVocabulary));
  return model;
}

// Null: no such model.
std::unique_ptr<nn::Sequential> MakeModel(const std::string& name) {
  if (name == "mlp") return Mlp({784, 512, 256, 10});
  if (name == "wide_mlp") return Mlp({784, 2048, 2048, 10});
  if (name == "cnn") return Cnn();
  if (name == "gpt") return Gpt();
  return nullptr;
}

std::shared_ptr<const optim::Optimizer> MakeOptimizer(const std::string& name) {
  optim::AdamOptions adam;
  if (name == "sgd") {
    optim::SgdOptions sgd;
    sgd.learning_rate = 0.01;
    sgd.momentum = 0.9;
    return std::make_shared<optim::Sgd>(sgd);
  }
  if (name == "adamw") {
    adam.decoupled = true;
    adam.weight_decay = 0.01;
    return std::make_shared<optim::Adam>(adam);
  }
  return name == "adam" ? std::make_shared<optim::Adam>(adam) : nullptr;
}

Tensor RandomTokens(const Shape& shape, int64_t below, uint64_t salt) {
  Tensor tokens = Tensor::Empty(shape, DType::kInt64);
  for (int64_t i = 0; i < tokens.element_count(); ++i) {
    const uint32_t word = RandomWord(salt, RandomStream::kExampleOrder, 0, 0, i);
    tokens.data<int64_t>()[i] = static_cast<int64_t>(word % below);
  }
  return tokens;
}

struct Examples {
  Tensor features;
  Tensor labels;
};

Examples MakeExamples(const std::string& model, int64_t batch) {
  if (model == "gpt") {
    return {RandomTokens({batch, kContext}, kVocabulary, 1),
            RandomTokens({batch * kContext}, kVocabulary, 2)};
  }
  Tensor features = Tensor::Empty(model == "cnn" ? Shape{batch, 1, 28, 28} : Shape{batch, 784});
  FillUniform(1, RandomStream::kExampleOrder, 0, 0, 0, features.span<float>());
  return {features, RandomTokens({batch}, 10, 2)};
}

int Run(const std::string& model_name, int64_t batch, const std::string& optimizer_name,
        double seconds) {
  const int64_t before = MemoryBytes("VmRSS");
  const std::unique_ptr<nn::Sequential> model = MakeModel(model_name);
  const std::shared_ptr<const optim::Optimizer> optimizer = MakeOptimizer(optimizer_name);
  if (model == nullptr || optimizer == nullptr) {
    std::cerr << "engine_step: got model " << model_name << " and optimizer " << optimizer_name
              << ", want mlp, wide_mlp, cnn or gpt and sgd, adam or adamw\n";
    return 2;
  }
  model->Initialize(/*key=*/1);
  optim::TrainingStep training(
      *model, optim::UpdateRules::Uniform(nn::ParameterLayout::Of(*model), optimizer));
  const Examples examples = MakeExamples(model_name, batch);
  const Tensor ones = Tensor::Full(examples.labels.shape(), 1);
  const nn::CrossEntropy loss;

  const auto step = [&] {
    const nn::TrainingScope scope({/*key=*/1, training.step(), /*first_example=*/0});
    autograd::Variable outputs = model->Forward(autograd::Variable(examples.features));
    outputs = autograd::Reshape(outputs, {-1, outputs.dim(-1)});
    loss.Forward(outputs, examples.labels).losses.Backward(ones);
    training.Apply(static_cast<double>(examples.labels.element_count()));
  };
  for (int i = 0; i < 5; ++i) step();
  using Clock = std::chrono::steady_clock;
  std::vector<double> times;
  const Clock::time_point end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                                   std::chrono::duration<double>(seconds));
  while (Clock::now() < end || times.size() < 10) {
    const Clock::time_point started = Clock::now();
    step();
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - started).count());
  }
  std::sort(times.begin(), times.end());
  std::cout << "{\"median_ms\": " << times[times.size() / 2] << ", \"least_ms\": " << times[0]
            << ", \"memory_bytes\": " << MemoryBytes("VmHWM") - before << "}" << std::endl;
  return 0;
}

}  // namespace
}  // namespace lockstep

int main(int argc, char** argv) {
  int64_t batch = 0;
  int threads = 0;
  double seconds = 0;
  if (argc != 6 || !absl::SimpleAtoi(argv[2], &batch) || !absl::SimpleAtoi(argv[4], &threads) ||
      !absl::SimpleAtod(argv[5], &seconds) || batch < 1 || threads < 1) {
    std::cerr << "usage: engine_step mlp|wide_mlp|cnn|gpt BATCH sgd|adam|adamw THREADS SECONDS\n";
    return 2;
  }
  omp_set_num_threads(threads);
  return lockstep::Run(argv[1], batch, argv[3], seconds);
}
