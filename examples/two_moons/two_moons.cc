#include "examples/two_moons/two_moons.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <memory>
#include <utility>

#include "engine/autograd/activation_ops.h"
#include "engine/autograd/arithmetic_ops.h"
#include "engine/autograd/grad_mode.h"
#include "engine/autograd/reduction_ops.h"
#include "engine/check.h"
#include "engine/nn/activations.h"
#include "engine/nn/linear.h"
#include "engine/optim/gradient_descent.h"
#include "examples/python_random/python_random.h"

namespace lockstep::examples {
namespace {

using autograd::Variable;

constexpr double kLeastX = -1.6, kMostX = 2.6, kLeastY = -1.2, kMostY = 1.7;
constexpr int kColumns = 72, kRows = 26;

nn::Sequential MakeModel() {
  nn::Sequential model({std::make_shared<nn::Linear>(2, 16), std::make_shared<nn::ReLU>(),
                        std::make_shared<nn::Linear>(16, 16), std::make_shared<nn::ReLU>(),
                        std::make_shared<nn::Linear>(16, 1)});
  nn::ConvertParameters(model, DType::kFloat64);
  PythonRandom random(1337);
  for (nn::NamedParameter parameter : model.NamedParameters()) {
    Tensor values = Tensor::Zeros(parameter.variable.shape(), DType::kFloat64);
    if (values.rank() == 2) {  // a weight; biases are 0
      for (double& value : values.span<double>()) value = random.Uniform(-1, 1);
    }
    parameter.variable.SetValue(values);
  }
  return model;
}

Variable Column(const std::vector<double>& values, int64_t width) {
  const int64_t rows = static_cast<int64_t>(values.size()) / width;
  return Variable(Tensor::FromVector({rows, width}, values));
}

}  // namespace

std::vector<Point> ReadPoints(const std::string& path) {
  std::ifstream file(path);
  LOCKSTEP_CHECK(file.good(), "cannot read " + path);
  std::vector<Point> points;
  Point point;
  char comma = ',';
  while (file >> point.x >> comma >> point.y >> comma >> point.label) points.push_back(point);
  return points;
}

TwoMoons::TwoMoons(std::vector<Point> points) : points_(std::move(points)), model_(MakeModel()) {
  std::vector<double> inputs, labels;
  for (const Point& point : points_) {
    inputs.insert(inputs.end(), {point.x, point.y});
    labels.push_back(point.label);
  }
  inputs_ = Column(inputs, 2);
  labels_ = Column(labels, 1);
}

TwoMoons::Progress TwoMoons::Step(double learning_rate) {
  const Variable scores = model_.Forward(inputs_);
  Variable squares = autograd::ScalarLike(0, scores);
  for (const nn::NamedParameter& parameter : model_.NamedParameters()) {
    squares = squares + autograd::Sum(parameter.variable * parameter.variable);
  }
  const Variable loss = autograd::Mean(autograd::Relu(1 - labels_ * scores)) + 1e-4 * squares;
  int right = 0;
  for (size_t i = 0; i < points_.size(); ++i) {
    right += (scores.value().data<double>()[i] > 0) == (points_[i].label > 0);
  }
  loss.Backward();
  optim::GradientDescent(model_, learning_rate);
  return {loss.item(), right / static_cast<double>(points_.size())};
}

std::string TwoMoons::DrawBoundary() const {
  const autograd::NoGradGuard no_grad;
  std::vector<double> grid;
  for (int row = 0; row < kRows; ++row) {
    for (int column = 0; column < kColumns; ++column) {
      grid.push_back(kLeastX + (kMostX - kLeastX) * (column + 0.5) / kColumns);
      grid.push_back(kMostY - (kMostY - kLeastY) * (row + 0.5) / kRows);
    }
  }
  const Tensor scores = model_.Forward(Column(grid, 2)).value();
  std::vector<std::string> rows(kRows, std::string(kColumns, '.'));
  for (int i = 0; i < kRows * kColumns; ++i) {
    if (scores.data<double>()[i] > 0) rows[i / kColumns][i % kColumns] = '#';
  }
  for (const Point& point : points_) {
    const int column = static_cast<int>((point.x - kLeastX) / (kMostX - kLeastX) * kColumns);
    const int row = static_cast<int>((kMostY - point.y) / (kMostY - kLeastY) * kRows);
    if (column < 0 || column >= kColumns || row < 0 || row >= kRows) continue;
    rows[row][column] = point.label > 0 ? 'x' : 'o';
  }
  std::string drawing;
  for (const std::string& row : rows) drawing += row + "\n";
  return drawing;
}

}  // namespace lockstep::examples
