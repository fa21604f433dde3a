// Elements dropped by chance in training, as torch.nn.Dropout.
#ifndef LOCKSTEP_ENGINE_NN_DROPOUT_H_
#define LOCKSTEP_ENGINE_NN_DROPOUT_H_

#include "engine/nn/activations.h"

namespace lockstep::nn {

class Dropout : public ElementwiseLayer {
 public:
  // Requires: 0 <= probability <= 1.
  explicit Dropout(float probability = 0.5f);

  // Under a TrainingScope each element becomes 0 with the probability, else it
  // is divided by one minus it; which, depends on the scope's key and step, the
  // example's position and the element alone. Otherwise the input itself.
  autograd::Variable Forward(const autograd::Variable& input) const override;
  std::string Describe() const override;

 private:
  const float probability_;
};

}  // namespace lockstep::nn

#endif  // LOCKSTEP_ENGINE_NN_DROPOUT_H_
