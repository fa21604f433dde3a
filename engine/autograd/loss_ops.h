// Losses of single examples. Training needs the sum over examples of their
// gradients: losses.Backward(Tensor::Full({n}, 1)).
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_LOSS_OPS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_LOSS_OPS_H_

#include "engine/autograd/variable.h"

namespace lockstep::autograd {

// Mean squared error of each example over its outputs.
// Shapes: predictions [n, ...], targets the same, of one dtype; result [n].
// Order: d = prediction - target; loss = SumRows(d * d) / outputs; gradient
// (d * (2 / outputs)) * upstream. No gradient goes to the targets.
Variable MseLoss(const Variable& predictions, const Tensor& targets);

struct CrossEntropyResult {
  Variable losses;     // [n]
  Tensor predictions;  // [n] int64: the first class with the greatest logit
};

// Softmax and negative log-likelihood of each example's label.
// Shapes: logits [n, classes], labels [n] int64. Order: kernels/cross_entropy.h.
// Requires: 0 <= label < classes.
CrossEntropyResult CrossEntropyLoss(const Variable& logits, const Tensor& labels);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_LOSS_OPS_H_
