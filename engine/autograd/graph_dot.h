// Draws how a result was computed, for Graphviz: a record node
// { data | grad } for each variable, an oval node for each operation.
//
//   GraphDrawing drawing;                       // from here on it looks
//   Variable y = Relu(x * 2.0 + 1.0);
//   y.Backward();
//   std::cout << drawing.Dot(y);                // dot -Tsvg
//
// It looks while operations run, because the graph that Backward goes through
// keeps neither numbers nor constants.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_GRAPH_DOT_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_GRAPH_DOT_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "engine/autograd/operation_observer.h"
#include "engine/autograd/variable.h"

namespace lockstep::autograd {

enum class DotDirection { kLeftToRight, kTopToBottom };

// Records the operations of its thread while it lives, with all their values:
// for small graphs. Results keep their gradients (Variable::RetainGrad), so
// that they can be drawn.
class GraphDrawing : public OperationObserver {
 public:
  // Names a variable in the drawing. A variable without a name shows its numbers alone.
  void Name(const Variable& variable, std::string name);

  // What `root` was computed from, as a digraph in the DOT language. Tensors of
  // up to four elements are shown with their numbers, others by their shape; a
  // missing gradient is left empty.
  std::string Dot(const Variable& root, DotDirection direction = DotDirection::kLeftToRight) const;

  void OnResult(const char* name, const Variable& result,
                absl::Span<const Variable> inputs) override;

 private:
  struct Operation {
    const char* name;
    Variable result;
    std::vector<Variable> inputs;
  };

  std::string Label(const Variable& variable) const;

  std::vector<Operation> operations_;  // in the order they ran
  std::vector<std::pair<Variable, std::string>> names_;
};

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_GRAPH_DOT_H_
