// Compares an operation's gradients with numerical ones. For tests.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_GRADIENT_CHECK_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_GRADIENT_CHECK_H_

#include <functional>
#include <string>
#include <vector>

#include "engine/autograd/variable.h"

namespace lockstep::autograd {

// float32 results are exact to about 6e-8; the differences below divide that
// by a step of 1/32 and leave an error of some 1e-5 for values around 1.
inline constexpr double kGradientTolerance = 1e-3;

// Returns "" when the gradients of `function` with respect to all `inputs`
// agree with the fourth-order central difference
//   (8 (f(x+h) - f(x-h)) - (f(x+2h) - f(x-2h))) / 12h,  h = 1/32 max(1, |x|),
// to `tolerance` (relative above 1, absolute below); else what differs.
// f is the sum of the result's elements, weighted by fixed numbers in (0.5, 2)
// so that no error cancels. Requires: no kink (relu at 0) within 2h of a value.
std::string CheckGradients(
    const std::function<Variable(const std::vector<Variable>& inputs)>& function,
    const std::vector<Tensor>& inputs, double tolerance = kGradientTolerance);

// A tensor of fixed, irregular numbers in (least, most), for such tests.
Tensor TestValues(const Shape& shape, float least = -1, float most = 1, int salt = 0);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_GRADIENT_CHECK_H_
