// micrograd's demo: a small network learns to tell two interleaved half circles
// apart, in float64 and by plain gradient descent.
#ifndef LOCKSTEP_EXAMPLES_TWO_MOONS_TWO_MOONS_H_
#define LOCKSTEP_EXAMPLES_TWO_MOONS_TWO_MOONS_H_

#include <string>
#include <vector>

#include "engine/autograd/variable.h"
#include "engine/nn/sequential.h"

namespace lockstep::examples {

struct Point {
  double x = 0;
  double y = 0;
  int label = 0;  // 1 or -1
};

// Lines "x,y,label". Aborts where the file cannot be read.
std::vector<Point> ReadPoints(const std::string& path);

class TwoMoons {
 public:
  // 2-16-16-1 with relu; weights as Python's random.seed(1337) and
  // random.uniform(-1, 1) give them, neuron after neuron, biases 0.
  explicit TwoMoons(std::vector<Point> points);

  struct Progress {
    double loss = 0;
    double accuracy = 0;  // 0 to 1
  };
  // Of the present parameters; then one step at this learning rate. The loss is
  // the mean of max(0, 1 - label * score), plus 1e-4 times the sum of the
  // parameters' squares.
  Progress Step(double learning_rate);

  // What the network makes of the plane: '#' where the score is above 0, else
  // '.'; the points are 'x' (1) and 'o' (-1). Rows from above.
  std::string DrawBoundary() const;

  // The architecture and its parameters.
  const nn::Sequential& model() const { return model_; }

 private:
  const std::vector<Point> points_;
  nn::Sequential model_;
  autograd::Variable inputs_;  // [points, 2]
  autograd::Variable labels_;  // [points, 1]
};

}  // namespace lockstep::examples

#endif  // LOCKSTEP_EXAMPLES_TWO_MOONS_TWO_MOONS_H_
