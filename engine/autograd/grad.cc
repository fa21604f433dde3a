#include "engine/autograd/grad.h"

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "engine/autograd/arithmetic_ops.h"
#include "engine/autograd/backward_run.h"
#include "engine/autograd/grad_mode.h"
#include "engine/check.h"

namespace lockstep::autograd {

// Gradients as variables, through operations that offer it.
class GraphBackwardRun {
 public:
  void Add(Node& node, const Variable& gradient) {
    Variable& sum = sums_[&node];
    sum = sum.defined() ? autograd::Add(sum, gradient) : gradient;
  }

  void GoThrough(Node& operation) {
    const Variable upstream = Sum(operation);
    std::vector<Variable> gradients(operation.inputs_.size());
    GraphGradients destination(operation, &gradients);
    operation.RunGraphBackward(upstream, destination);
    for (size_t i = 0; i < gradients.size(); ++i) {
      if (!destination.Wanted(static_cast<int>(i))) continue;
      LOCKSTEP_CHECK(gradients[i].defined(), absl::StrCat("backward of ", operation.name(),
                                                          " gave no gradient of input ", i));
      Add(*operation.inputs_[i], gradients[i]);
    }
  }

  // After the hooks; undefined where nothing came.
  Variable Sum(Node& node) const {
    const auto found = sums_.find(&node);
    if (found == sums_.end()) return Variable();
    if (node.extras_ == nullptr) return found->second;
    for (const auto& [id, hook] : node.extras_->hooks) {
      LOCKSTEP_CHECK(!hook(found->second.value()).defined(),
                     absl::StrCat("Grad with create_graph: a hook replaces the gradient of ",
                                  node.ToString(), ", which cannot be differentiated"));
    }
    return found->second;
  }

 private:
  absl::flat_hash_map<Node*, Variable> sums_;
};

namespace {

std::vector<Node*> NodesOf(const char* what, const std::vector<Variable>& variables) {
  std::vector<Node*> nodes;
  for (const Variable& variable : variables) {
    LOCKSTEP_CHECK(variable.defined() && variable.requires_grad(),
                   absl::StrCat("Grad: ", what, " ", nodes.size(), " requires no gradient"));
    nodes.push_back(variable.node().get());
  }
  return nodes;
}

// The gradient that output `i` begins with.
Variable SeedOf(const Variable& output, const GradOptions& options, size_t i) {
  if (i < options.grad_outputs.size() && options.grad_outputs[i].defined()) {
    const Variable& seed = options.grad_outputs[i];
    LOCKSTEP_CHECK(seed.shape() == output.shape() && seed.dtype() == output.dtype(),
                   absl::StrCat("Grad: grad_outputs ", i, ": got ", DTypeName(seed.dtype()), " ",
                                seed.shape().ToString(), ", want ", DTypeName(output.dtype()), " ",
                                output.shape().ToString()));
    return seed;
  }
  LOCKSTEP_CHECK(output.value().element_count() == 1,
                 absl::StrCat("Grad: output ", i, " without grad_outputs wants one element, got ",
                              output.shape().ToString()));
  return Variable(Tensor::Full(output.shape(), 1, output.dtype()));
}

std::vector<Variable> GradOnTensors(const std::vector<Variable>& outputs,
                                    const std::vector<Node*>& roots,
                                    const std::vector<Node*>& targets, const GradOptions& options) {
  const GraphSearch search(roots, targets);
  BackwardRun run(/*overwrite=*/false, /*capture=*/true);
  for (size_t i = 0; i < roots.size(); ++i) {
    run.Seed(*roots[i], SeedOf(outputs[i], options, i).value());
  }
  absl::flat_hash_map<Node*, Tensor> gradients;
  for (Node* target : targets) gradients[target] = Tensor();
  for (Node* operation : search.operations()) {
    const Tensor gradient = run.GoThrough(*operation, options.retain_graph);
    const auto target = gradients.find(operation);
    if (target != gradients.end()) target->second = gradient.Clone();
  }
  std::vector<Variable> results;
  for (Node* target : targets) {
    Tensor& gradient = gradients[target];
    if (!gradient.defined()) gradient = run.TakeSum(*target);
    results.push_back(gradient.defined() ? Variable(gradient) : Variable());
  }
  for (Node* root : roots) run.TakeSum(*root);  // of outputs that lead to no input
  return results;
}

std::vector<Variable> GradOnVariables(const std::vector<Variable>& outputs,
                                      const std::vector<Node*>& roots,
                                      const std::vector<Node*>& targets,
                                      const GradOptions& options) {
  LOCKSTEP_CHECK(GradEnabled(), "Grad with create_graph under a NoGradGuard");
  const GraphSearch search(roots, targets);
  GraphBackwardRun run;
  for (size_t i = 0; i < roots.size(); ++i) run.Add(*roots[i], SeedOf(outputs[i], options, i));
  for (Node* operation : search.operations()) run.GoThrough(*operation);
  std::vector<Variable> results;
  for (Node* target : targets) results.push_back(run.Sum(*target));
  return results;
}

}  // namespace

std::vector<Variable> Grad(const std::vector<Variable>& outputs,
                           const std::vector<Variable>& inputs, const GradOptions& options) {
  LOCKSTEP_CHECK(!outputs.empty() && !inputs.empty(), "Grad wants outputs and inputs");
  LOCKSTEP_CHECK(options.grad_outputs.empty() || options.grad_outputs.size() == outputs.size(),
                 absl::StrCat("Grad: got ", options.grad_outputs.size(), " grad_outputs, want ",
                              outputs.size(), ", one per output"));
  const std::vector<Node*> roots = NodesOf("output", outputs), targets = NodesOf("input", inputs);
  std::vector<Variable> gradients = options.create_graph
                                        ? GradOnVariables(outputs, roots, targets, options)
                                        : GradOnTensors(outputs, roots, targets, options);
  for (size_t i = 0; i < gradients.size(); ++i) {
    LOCKSTEP_CHECK(gradients[i].defined() || options.allow_unused,
                   absl::StrCat("Grad: no output depends on input ", i,
                                "; allow_unused gives an undefined gradient for it"));
  }
  return gradients;
}

}  // namespace lockstep::autograd
