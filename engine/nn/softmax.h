// Softmax as a layer, as torch.nn.Softmax and torch.nn.LogSoftmax. A network
// that is trained by cross entropy needs neither: the loss contains it.
#ifndef LOCKSTEP_ENGINE_NN_SOFTMAX_H_
#define LOCKSTEP_ENGINE_NN_SOFTMAX_H_

#include "engine/nn/module.h"

namespace lockstep::nn {

// Over an axis counted with the batch's, which is 0; a negative one counts from
// the end. The batch's own axis is not allowed: examples do not see each other.
class SoftmaxLayer : public Module {
 public:
  explicit SoftmaxLayer(int axis) : axis_(axis) {}

  // InvalidArgument where an example has no such axis.
  absl::StatusOr<Shape> OutputShape(const Shape& example_shape) const override;
  void Initialize(uint64_t, uint64_t) override {}
  bool SupportsShardCuts() const override { return true; }

 protected:
  const int axis_;
};

class Softmax : public SoftmaxLayer {
 public:
  explicit Softmax(int axis = -1) : SoftmaxLayer(axis) {}
  autograd::Variable Forward(const autograd::Variable& input) const override;
  std::string Describe() const override;
};

class LogSoftmax : public SoftmaxLayer {
 public:
  explicit LogSoftmax(int axis = -1) : SoftmaxLayer(axis) {}
  autograd::Variable Forward(const autograd::Variable& input) const override;
  std::string Describe() const override;
};

}  // namespace lockstep::nn

#endif  // LOCKSTEP_ENGINE_NN_SOFTMAX_H_
