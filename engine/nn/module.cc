#include "engine/nn/module.h"

#include <utility>

namespace lockstep::nn {

autograd::Variable MakeParameter(Shape shape) {
  return autograd::Variable(Tensor::Unallocated(std::move(shape)), /*requires_grad=*/true);
}

void ConvertParameters(const Module& module, DType dtype) {
  for (NamedParameter& parameter : module.NamedParameters()) parameter.variable.ConvertTo(dtype);
}

int64_t ParameterElementCount(const Module& module) {
  int64_t count = 0;
  for (const NamedParameter& parameter : module.NamedParameters()) {
    count += parameter.variable.value().element_count();
  }
  return count;
}

}  // namespace lockstep::nn
