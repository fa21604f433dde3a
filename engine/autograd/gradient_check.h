// Compares an operation's gradients with numerical ones. For tests.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_GRADIENT_CHECK_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_GRADIENT_CHECK_H_

#include <functional>
#include <string>
#include <vector>

#include "engine/autograd/variable.h"

namespace lockstep::autograd {

// Of float64 gradients: the differences below leave an error of some 1e-11.
inline constexpr double kGradientTolerance = 1e-7;
// Of float32 results and gradients beside those of float64.
inline constexpr double kFloat32Tolerance = 1e-4;

// Runs `function` on the inputs as float64 and returns "" when its gradients
// with respect to all of them agree with the fourth-order central difference
//   (8 (f(x+h) - f(x-h)) - (f(x+2h) - f(x-2h))) / 12h,  h = 2^-10 max(1, |x|),
// to `tolerance`, and when the results and gradients of float32 agree with
// those of float64 to `float32_tolerance` (both relative above 1, absolute
// below); else what differs.
// f is the sum of the result's elements, weighted by fixed numbers in (0.5, 2)
// so that no error cancels. int64 inputs are given as they are and get none.
// Requires: no kink (relu at 0) within 2h of a value. Tensors that `function`
// captures must be brought to its inputs' dtype (Tensor::To).
std::string CheckGradients(
    const std::function<Variable(const std::vector<Variable>& inputs)>& function,
    const std::vector<Tensor>& inputs, double tolerance = kGradientTolerance,
    double float32_tolerance = kFloat32Tolerance);

// The same with respect to leaves that `function` uses, a module's parameters
// say; they are converted to float64 for it and left as float32; "input 0" in
// messages is the first. Requires: results of the leaves' dtype.
std::string CheckLeafGradients(const std::function<Variable()>& function,
                               const std::vector<Variable>& leaves,
                               double tolerance = kGradientTolerance,
                               double float32_tolerance = kFloat32Tolerance);

// A float32 tensor of fixed, irregular numbers in (least, most), for such tests.
Tensor TestValues(const Shape& shape, float least = -1, float most = 1, int salt = 0);
// One of which no two numbers are closer than 0.05, for what takes the greatest:
// of close ones another may be within a difference.
Tensor DistinctValues(const Shape& shape);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_GRADIENT_CHECK_H_
