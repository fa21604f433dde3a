#include "engine/nn/activations.h"

#include "engine/autograd/activation_ops.h"

namespace lockstep::nn {

using autograd::Variable;

Variable ReLU::Forward(const Variable& input) const { return autograd::Relu(input); }
Variable Tanh::Forward(const Variable& input) const { return autograd::Tanh(input); }
Variable Sigmoid::Forward(const Variable& input) const { return autograd::Sigmoid(input); }

}  // namespace lockstep::nn
