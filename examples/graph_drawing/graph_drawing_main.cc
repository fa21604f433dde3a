// Prints the graph of one neuron, relu(x * w + b), with its numbers and its
// gradients, in the DOT language.
//
// Usage: graph_drawing [--top-to-bottom] | dot -Tsvg > neuron.svg
#include <cstdio>
#include <cstring>

#include "engine/autograd/activation_ops.h"
#include "engine/autograd/arithmetic_ops.h"
#include "engine/autograd/graph_dot.h"

int main(int argc, char** argv) {
  using lockstep::autograd::DotDirection;
  using lockstep::autograd::GraphDrawing;
  using lockstep::autograd::Variable;
  DotDirection direction = DotDirection::kLeftToRight;
  if (argc == 2 && std::strcmp(argv[1], "--top-to-bottom") == 0) {
    direction = DotDirection::kTopToBottom;
  } else if (argc > 1) {
    std::fprintf(stderr, "graph_drawing: got %s, want --top-to-bottom or nothing\n", argv[1]);
    return 2;
  }
  GraphDrawing drawing;
  const Variable x(1.0f, /*requires_grad=*/true), w(2.0f, true), b(1.0f, true);
  drawing.Name(x, "x");
  drawing.Name(w, "w");
  drawing.Name(b, "b");
  const Variable y = lockstep::autograd::Relu(x * w + b);
  drawing.Name(y, "y");
  y.Backward();
  std::printf("%s", drawing.Dot(y, direction).c_str());
  return 0;
}
