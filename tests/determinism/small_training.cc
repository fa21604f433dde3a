#include "tests/determinism/small_training.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "engine/autograd/shape_ops.h"
#include "engine/autograd/shard_cuts.h"
#include "engine/autograd/variable.h"
#include "engine/check.h"
#include "engine/nn/activations.h"
#include "engine/nn/batch_norm.h"
#include "engine/nn/convolution.h"
#include "engine/nn/dropout.h"
#include "engine/nn/embedding.h"
#include "engine/nn/flatten.h"
#include "engine/nn/layer_norm.h"
#include "engine/nn/linear.h"
#include "engine/nn/loss.h"
#include "engine/nn/module.h"
#include "engine/nn/parameter_layout.h"
#include "engine/nn/pooling.h"
#include "engine/nn/positional_embedding.h"
#include "engine/nn/recurrent.h"
#include "engine/nn/sequential.h"
#include "engine/nn/training_scope.h"
#include "engine/nn/transformer_block.h"
#include "engine/optim/adam.h"
#include "engine/optim/training_step.h"
#include "engine/philox.h"
#include "engine/shard_tree.h"

namespace lockstep::testing {
namespace {

constexpr uint64_t kSeed = 20;
constexpr int64_t kBatch = 22;  // shards of 5, 6, 5 and 6 examples
constexpr int kShards = 4;

struct SmallTraining {
  std::string name;
  std::unique_ptr<nn::Module> model;
  Shape example_shape;
  int64_t vocabulary = 0;  // 0: the features are numbers, else tokens below it
  int64_t classes = 0;
};

SmallTraining Mlp() {
  auto model = std::make_unique<nn::Sequential>();
  model->Append(std::make_shared<nn::Linear>(37, 70))
      .Append(std::make_shared<nn::ReLU>())
      .Append(std::make_shared<nn::Linear>(70, 33))
      .Append(std::make_shared<nn::Tanh>())
      .Append(std::make_shared<nn::Linear>(33, 10));
  return {"mlp", std::move(model), Shape{37}, 0, 10};
}

SmallTraining Cnn() {
  autograd::ConvolutionOptions padded;
  padded.padding = {1, 1};
  auto model = std::make_unique<nn::Sequential>();
  model->Append(std::make_shared<nn::Conv2d>(1, 6, autograd::HeightWidth{3, 3}, padded))
      .Append(std::make_shared<nn::BatchNorm2d>(6))
      .Append(std::make_shared<nn::ReLU>())
      .Append(std::make_shared<nn::MaxPool2d>(
          autograd::PoolingOptions{/*kernel=*/{2, 2}, /*stride=*/{2, 2}}))
      .Append(std::make_shared<nn::Conv2d>(6, 8, autograd::HeightWidth{3, 3}, padded))
      .Append(std::make_shared<nn::ReLU>())
      .Append(std::make_shared<nn::Flatten>())
      .Append(std::make_shared<nn::Dropout>(0.25f))
      .Append(std::make_shared<nn::Linear>(8 * 5 * 5, 10));
  return {"cnn", std::move(model), Shape{1, 11, 10}, 0, 10};
}

SmallTraining Gpt() {
  constexpr int64_t kVocabulary = 31, kContext = 9, kWidth = 24;
  nn::TransformerBlock::Options options;
  options.attention.dropout = 0.1f;
  options.mlp_dropout = 0.1f;
  auto model = std::make_unique<nn::Sequential>();
  model->Append(std::make_shared<nn::Embedding>(kVocabulary, kWidth))
      .Append(std::make_shared<nn::LearnedPositionalEmbedding>(kContext, kWidth))
      .Append(std::make_shared<nn::TransformerBlock>(kWidth, 3, options))
      .Append(std::make_shared<nn::TransformerBlock>(kWidth, 3, options))
      .Append(std::make_shared<nn::LayerNorm>(Shape{kWidth}))
      .Append(std::make_shared<nn::Linear>(kWidth, kVocabulary));
  return {"gpt", std::move(model), Shape{kContext}, kVocabulary, kVocabulary};
}

SmallTraining Lstm() {
  auto model = std::make_unique<nn::Sequential>();
  model->Append(std::make_shared<nn::LSTM>(12, 20)).Append(std::make_shared<nn::Linear>(20, 10));
  return {"lstm", std::move(model), Shape{7, 12}, 0, 10};
}

using MakeTraining = SmallTraining (*)();
constexpr MakeTraining kTrainings[] = {Mlp, Cnn, Gpt, Lstm};

float Uniform(uint64_t step, int64_t example, int64_t element) {
  return UniformFloat(RandomWord(kSeed, RandomStream::kExampleOrder, step, example, element));
}

Tensor Features(const SmallTraining& training, uint64_t step) {
  std::vector<int64_t> extents = training.example_shape.extents();
  extents.insert(extents.begin(), kBatch);
  const int64_t elements = training.example_shape.element_count();
  const bool tokens = training.vocabulary > 0;
  Tensor features = Tensor::Empty(Shape(extents), tokens ? DType::kInt64 : DType::kFloat32);
  for (int64_t i = 0; i < features.element_count(); ++i) {
    const float value = Uniform(step, i / elements, i % elements);
    if (tokens) {
      features.data<int64_t>()[i] = static_cast<int64_t>(value * training.vocabulary);
    } else {
      features.data<float>()[i] = 2 * value - 1;
    }
  }
  return features;
}

// One label for each row of the model's output.
Tensor Labels(const SmallTraining& training, const Shape& outputs, uint64_t step) {
  std::vector<int64_t> extents = outputs.extents();
  extents.pop_back();
  Tensor labels = Tensor::Empty(Shape(extents), DType::kInt64);
  for (int64_t i = 0; i < labels.element_count(); ++i) {
    labels.data<int64_t>()[i] =
        static_cast<int64_t>(Uniform(step + (uint64_t{1} << 32), i, 0) * training.classes);
  }
  return labels;
}

std::vector<int64_t> Cuts() {
  std::vector<int64_t> cuts;
  for (int shard = 0; shard <= kShards; ++shard) cuts.push_back(ShardBegin(shard, kShards, kBatch));
  return cuts;
}

void ComputeGradient(const SmallTraining& training, uint64_t step) {
  const nn::TrainingScope scope({kSeed, step, /*first_example=*/0});
  const autograd::ShardCuts cuts(Cuts());
  autograd::Variable outputs =
      training.model->Forward(autograd::Variable(Features(training, step)));
  // Every position of a sequence has a label of its own.
  outputs = autograd::Reshape(outputs, {-1, outputs.dim(-1)});
  const Tensor labels = Labels(training, outputs.shape(), step);
  const nn::CrossEntropy loss;
  const nn::LossResult result = loss.Forward(outputs, labels);
  autograd::BackwardOptions options;
  options.overwrite_leaf_gradients = true;
  result.losses.Backward(Tensor::Full(labels.shape(), 1), options);
  LOCKSTEP_CHECK(cuts.supported(), training.name + " cannot keep shards apart");
}

// FNV-1a over the elements' bytes: no library, so that any processor's build has it.
std::string Fingerprint(const Tensor& flat) {
  uint64_t hash = 0xcbf29ce484222325u;
  const auto* bytes = reinterpret_cast<const unsigned char*>(flat.data<float>());
  for (size_t i = 0; i < flat.element_count() * sizeof(float); ++i) {
    hash = (hash ^ bytes[i]) * 0x100000001b3u;
  }
  return absl::StrCat(absl::Hex(hash, absl::kZeroPad16));
}

}  // namespace

std::vector<std::string> SmallTrainings() {
  std::vector<std::string> names;
  for (MakeTraining make : kTrainings) names.push_back(make().name);
  return names;
}

std::string SmallTrainingFingerprint(const std::string& name, int steps) {
  for (MakeTraining make : kTrainings) {
    SmallTraining training = make();
    if (training.name != name) continue;
    training.model->Initialize(kSeed);
    optim::TrainingStep step(
        *training.model,
        optim::UpdateRules::Uniform(nn::ParameterLayout::Of(*training.model),
                                    std::make_shared<optim::Adam>(optim::AdamOptions{})));
    while (step.step() < static_cast<uint64_t>(steps)) {
      ComputeGradient(training, step.step());
      step.Apply(kBatch);
    }
    return Fingerprint(step.parameters());
  }
  LOCKSTEP_CHECK(false, "no small training is called " + name);
  return "";
}

}  // namespace lockstep::testing
