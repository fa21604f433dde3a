#include "engine/nn/activations.h"

#include "absl/strings/str_cat.h"
#include "engine/autograd/activation_ops.h"
#include "engine/nn/python_number.h"

namespace lockstep::nn {

using autograd::Variable;

Variable ReLU::Forward(const Variable& input) const { return autograd::Relu(input); }
Variable Tanh::Forward(const Variable& input) const { return autograd::Tanh(input); }
Variable Sigmoid::Forward(const Variable& input) const { return autograd::Sigmoid(input); }

Variable LeakyReLU::Forward(const Variable& input) const {
  return autograd::LeakyRelu(input, negative_slope_);
}
std::string LeakyReLU::Describe() const {
  return absl::StrCat("LeakyReLU(negative_slope=", PythonNumber(negative_slope_), ")");
}

Variable ELU::Forward(const Variable& input) const { return autograd::Elu(input, alpha_); }
std::string ELU::Describe() const { return absl::StrCat("ELU(alpha=", PythonNumber(alpha_), ")"); }

Variable GELU::Forward(const Variable& input) const {
  return approximate_ == Approximate::kTanh ? autograd::GeluTanh(input) : autograd::Gelu(input);
}
std::string GELU::Describe() const {
  return approximate_ == Approximate::kTanh ? "GELU(approximate='tanh')"
                                            : "GELU(approximate='none')";
}

Variable SiLU::Forward(const Variable& input) const { return autograd::Silu(input); }

Variable Softplus::Forward(const Variable& input) const {
  return autograd::Softplus(input, beta_, threshold_);
}
std::string Softplus::Describe() const {
  return absl::StrCat("Softplus(beta=", PythonNumber(beta_),
                      ", threshold=", PythonNumber(threshold_), ")");
}

Variable Hardtanh::Forward(const Variable& input) const {
  return autograd::Hardtanh(input, min_val_, max_val_);
}
std::string Hardtanh::Describe() const {
  return absl::StrCat("Hardtanh(min_val=", PythonNumber(min_val_),
                      ", max_val=", PythonNumber(max_val_), ")");
}

Variable ReLU6::Forward(const Variable& input) const { return autograd::Relu6(input); }

}  // namespace lockstep::nn
