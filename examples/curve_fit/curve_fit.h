// Networks of one input and one output that learn a curve from points on it.
// Each function trains on all points at once and returns the mean squared error
// before each step.
#ifndef LOCKSTEP_EXAMPLES_CURVE_FIT_CURVE_FIT_H_
#define LOCKSTEP_EXAMPLES_CURVE_FIT_CURVE_FIT_H_

#include <vector>

namespace lockstep::examples {

// y = x^2 + 1 at 50 points from -3 to 5, by 1-8-4-1 with relu, in float64 and by
// plain gradient descent at rate 1e-3. Weights and biases, layer after layer, are
// Python's random.random() after random.seed(1337).
std::vector<double> FitParabola(int epochs);

// The same points by 1-8-16-8-1, float32, with Adam at rate 1e-4 from Lockstep's
// own initial values.
std::vector<double> FitParabolaByAdam(int epochs);

// y = sin(pi x) and a little noise at 32 points from -1 to 1, by 512 tanh units,
// float32, SGD at rate 0.003 with momentum 0.9.
std::vector<double> FitSine(int steps);

}  // namespace lockstep::examples

#endif  // LOCKSTEP_EXAMPLES_CURVE_FIT_CURVE_FIT_H_
