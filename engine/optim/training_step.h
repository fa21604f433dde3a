// Training in one process: a module's parameters and gradients in two flat
// vectors, and the update that the server would do, by the same code.
//
//   TrainingStep step(model, UpdateRules::Uniform(layout, optimizer));
//   for (...) {
//     loss(model.Forward(batch)).Backward(ones);   // the sum over the examples
//     step.Apply(examples, schedule.Factor(step.step(), ...));
//   }
#ifndef LOCKSTEP_ENGINE_OPTIM_TRAINING_STEP_H_
#define LOCKSTEP_ENGINE_OPTIM_TRAINING_STEP_H_

#include <cstdint>
#include <vector>

#include "engine/nn/module.h"
#include "engine/optim/parameter_updater.h"
#include "engine/tensor.h"

namespace lockstep::optim {

// Threads: the module's one.
class TrainingStep {
 public:
  // Moves the module's parameters into the flat vector and lets Backward write
  // into the other. Requires: initialised parameters; `module` outlives this.
  TrainingStep(const nn::Module& module, UpdateRules rules);

  // Changes the parameters in place by the gradients of the Backward before,
  // and forgets the gradients. A parameter that Backward did not reach has
  // gradient 0. batch_size: the gradients' sum is divided by it.
  void Apply(double batch_size, double learning_rate_factor = 1);

  // Steps applied.
  uint64_t step() const { return step_; }
  // Flat, as layout() says; the module's own memory.
  const Tensor& parameters() const { return parameters_; }
  const Tensor& gradients() const { return gradients_; }
  ParameterUpdater& updater() { return updater_; }

 private:
  std::vector<nn::NamedParameter> variables_;
  ParameterUpdater updater_;
  Tensor parameters_;
  Tensor gradients_;
  uint64_t step_ = 0;
};

}  // namespace lockstep::optim

#endif  // LOCKSTEP_ENGINE_OPTIM_TRAINING_STEP_H_
