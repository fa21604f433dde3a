// Gradients of some variables with respect to some others, as values: leaves
// keep the gradients that they hold. Also gradients of gradients.
//
//   Variable x(Tensor::Scalar(2), true);
//   GradOptions twice;
//   twice.create_graph = true;
//   Variable slope = Grad({Power(x, 3)}, {x}, twice)[0];    // 3 x^2 = 12
//   Variable curvature = Grad({slope}, {x})[0];             // 6 x = 12
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_GRAD_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_GRAD_H_

#include <vector>

#include "engine/autograd/variable.h"

namespace lockstep::autograd {

struct GradOptions {
  // What the outputs' gradients are multiplied with: one per output, of its
  // shape and dtype. Empty, or an undefined one: 1, for outputs of one element.
  std::vector<Variable> grad_outputs;
  // Keep what the graph saved, so that it can be gone through again.
  bool retain_graph = false;
  // Make the gradients themselves of operations, so that they can be
  // differentiated; keeps the graph. Aborts, naming the operation, where one on
  // the way does not offer it (docs/autograd.md has the list) or where a hook
  // replaces a gradient.
  bool create_graph = false;
  // An input that no output depends on gets an undefined gradient; else Grad aborts.
  bool allow_unused = false;
};

// The sum over the outputs of their gradients with respect to each input, a
// leaf or a result. Hooks of the variables on the way are called; only what
// lies between outputs and inputs is computed.
// Requires: all require a gradient. With create_graph, gradients enabled.
std::vector<Variable> Grad(const std::vector<Variable>& outputs,
                           const std::vector<Variable>& inputs, const GradOptions& options = {});

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_GRAD_H_
