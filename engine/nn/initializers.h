// Initial values of parameters, from Philox: element e of the model's
// parameter i is a function of (key, i, e) alone.
#ifndef LOCKSTEP_ENGINE_NN_INITIALIZERS_H_
#define LOCKSTEP_ENGINE_NN_INITIALIZERS_H_

#include <cstdint>

#include "engine/autograd/variable.h"

namespace lockstep::nn {

// Which random numbers a parameter takes.
struct InitialValueKey {
  uint64_t key = 0;        // the job's seed
  uint64_t parameter = 0;  // model-wide index, in forward order
};

// Each of these allocates the parameter where it has no elements yet.

void InitializeConstant(float value, autograd::Variable parameter);

// In [-bound, bound). Order, float32: element e = (2 * u - 1) * bound,
// u = UniformFloat(RandomWord(key, kInitialValues, parameter, 0, e)).
void InitializeUniform(const InitialValueKey& key, float bound, autograd::Variable parameter);

}  // namespace lockstep::nn

#endif  // LOCKSTEP_ENGINE_NN_INITIALIZERS_H_
