// Initial values that a job chooses for some layers' parameters instead of the
// layers' own: what `init` and `bias_init` of a job file stand for.
#ifndef LOCKSTEP_ENGINE_MODEL_INITIAL_VALUES_H_
#define LOCKSTEP_ENGINE_MODEL_INITIAL_VALUES_H_

#include <vector>

#include "absl/status/status.h"
#include "engine/autograd/variable.h"
#include "engine/nn/module.h"
#include "lockstep/v1/job.pb.h"

namespace lockstep {

// A value type; copies are about the same parameters.
class InitialValues {
 public:
  enum class Which {
    kBiases,   // parameters whose name begins with "bias" or ends with "_bias"
    kWeights,  // all others of two axes at least: not the weights of norms
  };

  // Notes the choice for some of the module's parameters, which need no elements
  // yet. Requires: the choice's fields are complete and in range. Errors:
  // InvalidArgument: it cannot make values of a parameter's shape.
  absl::Status Add(const nn::Module& module, Which which, const v1::InitializerChoice& choice);

  // Gives the noted parameters their values, those that the nn::InitialValueKey
  // {key, the parameter's place in model.NamedParameters()} stands for.
  // Requires: a model that all the noted modules are part of.
  void Apply(uint64_t key, const nn::Module& model) const;

 private:
  struct Choice {
    autograd::Variable parameter;
    v1::InitializerChoice initializer;
  };
  std::vector<Choice> choices_;
};

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_MODEL_INITIAL_VALUES_H_
