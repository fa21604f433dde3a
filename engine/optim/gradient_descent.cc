#include "engine/optim/gradient_descent.h"

#include "engine/kernels/optimizer_update.h"

namespace lockstep::optim {

void GradientDescent(const std::vector<autograd::Variable>& leaves, double learning_rate) {
  for (autograd::Variable leaf : leaves) {
    const Tensor gradient = leaf.grad();
    if (!gradient.defined()) continue;
    const Tensor before = leaf.value();
    Tensor after = Tensor::Empty(before.shape(), before.dtype());
    VisitFloating("gradient descent", before.dtype(), [&](auto zero) {
      using T = decltype(zero);
      kernels::SgdStepOf<T> step;
      step.learning_rate = static_cast<T>(learning_rate);
      kernels::SgdUpdate(step, gradient.span<T>(), before.span<T>(), absl::Span<T>(),
                         after.span<T>());
    });
    leaf.SetValue(after);
    leaf.ZeroGrad();
  }
}

void GradientDescent(const nn::Module& module, double learning_rate) {
  std::vector<autograd::Variable> leaves;
  for (const nn::NamedParameter& parameter : module.NamedParameters()) {
    if (parameter.kind == nn::ParameterKind::kTrained) leaves.push_back(parameter.variable);
  }
  GradientDescent(leaves, learning_rate);
}

}  // namespace lockstep::optim
