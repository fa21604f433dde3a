#include "engine/nn/sequential.h"

#include <set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "engine/nn/activations.h"
#include "engine/nn/convolution.h"
#include "engine/nn/linear.h"

namespace lockstep::nn {
namespace {

using autograd::Node;
using autograd::Variable;

// The parameters' nodes: what a parameter is, whatever its name.
std::vector<const Node*> ParameterNodes(const Module& module) {
  std::vector<const Node*> nodes;
  for (const NamedParameter& parameter : module.NamedParameters()) {
    nodes.push_back(parameter.variable.node().get());
  }
  return nodes;
}

}  // namespace

Sequential& Sequential::Append(std::shared_ptr<Module> layer) {
  layers_.push_back(std::move(layer));
  return *this;
}

Variable Sequential::Forward(const Variable& input) const {
  Variable x = input;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const bool relu_follows =
        i + 1 < layers_.size() && dynamic_cast<const ReLU*>(layers_[i + 1].get()) != nullptr;
    const auto* linear = dynamic_cast<const Linear*>(layers_[i].get());
    const auto* convolution = dynamic_cast<const ConvolutionLayer*>(layers_[i].get());
    if (relu_follows && linear != nullptr) {
      x = linear->ForwardRelu(x);
      ++i;
    } else if (relu_follows && convolution != nullptr) {
      x = convolution->ForwardRelu(x);
      ++i;
    } else {
      x = layers_[i]->Forward(x);
    }
  }
  return x;
}

absl::StatusOr<Shape> Sequential::OutputShape(const Shape& example_shape) const {
  Shape shape = example_shape;
  for (size_t i = 0; i < layers_.size(); ++i) {
    absl::StatusOr<Shape> next = layers_[i]->OutputShape(shape);
    if (!next.ok()) {
      return absl::Status(next.status().code(),
                          absl::StrCat("layer ", i, ": ", next.status().message()));
    }
    shape = *std::move(next);
  }
  return shape;
}

std::vector<NamedParameter> Sequential::NamedParameters() const {
  std::vector<NamedParameter> parameters;
  std::set<const Node*> listed;
  for (size_t i = 0; i < layers_.size(); ++i) {
    for (NamedParameter& parameter : layers_[i]->NamedParameters()) {
      if (!listed.insert(parameter.variable.node().get()).second) continue;
      parameter.name = absl::StrCat(i, ".", parameter.name);
      parameters.push_back(std::move(parameter));
    }
  }
  return parameters;
}

void Sequential::Initialize(uint64_t key, uint64_t first_parameter) {
  std::set<const Module*> done;
  for (const std::shared_ptr<Module>& layer : layers_) {
    if (!done.insert(layer.get()).second) continue;
    layer->Initialize(key, first_parameter);
    first_parameter += layer->NamedParameters().size();
  }
}

bool Sequential::SupportsShardCuts() const {
  std::set<const Node*> used;
  for (const std::shared_ptr<Module>& layer : layers_) {
    if (!layer->SupportsShardCuts()) return false;
    for (const Node* node : ParameterNodes(*layer)) {
      if (!used.insert(node).second) return false;
    }
  }
  return true;
}

std::string Sequential::Describe() const {
  if (layers_.empty()) return "Sequential()";
  std::string text = "Sequential(\n";
  for (size_t i = 0; i < layers_.size(); ++i) {
    const std::string layer = absl::StrReplaceAll(layers_[i]->Describe(), {{"\n", "\n  "}});
    absl::StrAppend(&text, "  (", i, "): ", layer, "\n");
  }
  return text + ")";
}

}  // namespace lockstep::nn
