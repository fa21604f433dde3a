#include "examples/curve_fit/curve_fit.h"

#include <memory>

#include "engine/autograd/loss_ops.h"
#include "engine/autograd/reduction_ops.h"
#include "engine/kernels/transcendental.h"
#include "engine/nn/activations.h"
#include "engine/nn/linear.h"
#include "engine/nn/loss.h"
#include "engine/nn/sequential.h"
#include "engine/optim/adam.h"
#include "engine/optim/gradient_descent.h"
#include "engine/optim/sgd.h"
#include "engine/optim/training_step.h"
#include "engine/philox.h"
#include "examples/python_random/python_random.h"

namespace lockstep::examples {
namespace {

using autograd::Variable;

constexpr uint64_t kSeed = 1337;

// Evenly from `least` to `most`, both among them.
Tensor Points(double least, double most, int64_t count) {
  Tensor x = Tensor::Empty({count, 1}, DType::kFloat64);
  for (int64_t i = 0; i < count; ++i) {
    x.data<double>()[i] = least + (most - least) * static_cast<double>(i) / (count - 1);
  }
  return x;
}

Tensor ParabolaOf(const Tensor& x) {
  Tensor y = x.Clone();
  for (double& value : y.span<double>()) value = value * value + 1;
  return y;
}

Tensor NoisySineOf(const Tensor& x) {
  Tensor y = x.To(DType::kFloat32);
  for (int64_t i = 0; i < y.element_count(); ++i) {
    const float noise =
        2 * UniformFloat(RandomWord(kSeed, RandomStream::kInitialValues, 0, i, 0)) - 1;
    y.data<float>()[i] = kernels::Sin(3.14159265f * y.data<float>()[i]) + 0.1f * noise;
  }
  return y;
}

// Linear layers of these widths, relu between them.
nn::Sequential ReluNetwork(const std::vector<int64_t>& widths) {
  nn::Sequential model;
  for (size_t i = 0; i + 1 < widths.size(); ++i) {
    if (i > 0) model.Append(std::make_shared<nn::ReLU>());
    model.Append(std::make_shared<nn::Linear>(widths[i], widths[i + 1]));
  }
  return model;
}

// By the step that jobs use: float32, gradients as sums over the examples.
std::vector<double> Train(nn::Sequential& model, const Tensor& inputs, const Tensor& targets,
                          std::shared_ptr<const optim::Optimizer> optimizer, int steps) {
  model.Initialize(kSeed);
  optim::TrainingStep training(
      model, optim::UpdateRules::Uniform(nn::ParameterLayout::Of(model), std::move(optimizer)));
  const int64_t examples = inputs.dim(0);
  const Tensor ones = Tensor::Full({examples}, 1);
  const Variable x(inputs.To(DType::kFloat32));
  const Tensor y = targets.To(DType::kFloat32);
  std::vector<double> losses;
  for (int step = 0; step < steps; ++step) {
    const Variable each = autograd::MseLoss(model.Forward(x), y);
    losses.push_back(nn::SumLosses(each.value()) / static_cast<double>(examples));
    each.Backward(ones, {/*overwrite_leaf_gradients=*/true});
    training.Apply(static_cast<double>(examples));
  }
  return losses;
}

}  // namespace

std::vector<double> FitParabola(int epochs) {
  nn::Sequential model = ReluNetwork({1, 8, 4, 1});
  nn::ConvertParameters(model, DType::kFloat64);
  PythonRandom random(kSeed);
  for (nn::NamedParameter parameter : model.NamedParameters()) {
    Tensor values = Tensor::Empty(parameter.variable.shape(), DType::kFloat64);
    for (double& value : values.span<double>()) value = random.Random();
    parameter.variable.SetValue(values);
  }
  const Tensor x = Points(-3, 5, 50), y = ParabolaOf(x);
  std::vector<double> losses;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    const Variable loss = autograd::Mean(autograd::MseLoss(model.Forward(Variable(x)), y));
    losses.push_back(loss.item());
    loss.Backward();
    optim::GradientDescent(model, /*learning_rate=*/1e-3);
  }
  return losses;
}

std::vector<double> FitParabolaByAdam(int epochs) {
  nn::Sequential model = ReluNetwork({1, 8, 16, 8, 1});
  const Tensor x = Points(-3, 5, 50);
  optim::AdamOptions options;
  options.learning_rate = 1e-4;
  return Train(model, x, ParabolaOf(x), std::make_shared<optim::Adam>(options), epochs);
}

std::vector<double> FitSine(int steps) {
  nn::Sequential model({std::make_shared<nn::Linear>(1, 512), std::make_shared<nn::Tanh>(),
                        std::make_shared<nn::Linear>(512, 1)});
  const Tensor x = Points(-1, 1, 32);
  optim::SgdOptions options;
  options.learning_rate = 0.003;
  options.momentum = 0.9;
  return Train(model, x, NoisySineOf(x), std::make_shared<optim::Sgd>(options), steps);
}

}  // namespace lockstep::examples
