// Vanilla gradient descent on variables, for experiments with the autograd alone.
// Training goes by TrainingStep (training_step.h) with an Optimizer.
#ifndef LOCKSTEP_ENGINE_OPTIM_GRADIENT_DESCENT_H_
#define LOCKSTEP_ENGINE_OPTIM_GRADIENT_DESCENT_H_

#include <vector>

#include "engine/autograd/variable.h"
#include "engine/nn/module.h"

namespace lockstep::optim {

// p - learning_rate * gradient for each leaf, float32 or float64, and no gradient
// afterwards. A leaf without one keeps its value.
// Order: kernels::SgdUpdate.
void GradientDescent(const std::vector<autograd::Variable>& leaves, double learning_rate);
// The same of a module's trained parameters.
void GradientDescent(const nn::Module& module, double learning_rate);

}  // namespace lockstep::optim

#endif  // LOCKSTEP_ENGINE_OPTIM_GRADIENT_DESCENT_H_
