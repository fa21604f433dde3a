// Losses that compare every output of an example with a target of its own: one
// loss for each example.
//
// Shapes: outputs [n, ...], targets the same shape and dtype, result [n].
// Order: kernels/pointwise_loss.h; the example's sum is divided by its number
// of outputs (not for KlDivergenceLoss), and so is the upstream gradient.
// No gradient goes to the targets.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_POINTWISE_LOSS_OPS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_POINTWISE_LOSS_OPS_H_

#include "engine/autograd/variable.h"

namespace lockstep::autograd {

// Mean of |output - target|.
Variable L1Loss(const Variable& outputs, const Tensor& targets);

// Mean of 0.5 e^2 where |e| <= delta, else delta * (|e| - 0.5 delta), as
// torch.nn.HuberLoss. Requires: delta > 0.
Variable HuberLoss(const Variable& outputs, const Tensor& targets, double delta = 1);

// Mean of -(t log p + (1 - t) log(1 - p)) for probabilities p, the logarithms
// not below -100, as torch.nn.BCELoss.
Variable BinaryCrossEntropyLoss(const Variable& probabilities, const Tensor& targets);

// The same of Sigmoid(logit), but exact far from 0; a target of 1 counts
// positive_weight times, as torch.nn.BCEWithLogitsLoss.
Variable BinaryCrossEntropyWithLogitsLoss(const Variable& logits, const Tensor& targets,
                                          double positive_weight = 1);

// Mean of max(0, 1 - y * output), y = 1 where the target is above 0, else -1.
Variable HingeLoss(const Variable& outputs, const Tensor& targets);

// Sum of t * (log t - output), 0 where t is 0: the divergence of the targets, a
// probability for each output, from the outputs, log-probabilities. The mean over
// examples is torch.nn.KLDivLoss's "batchmean".
Variable KlDivergenceLoss(const Variable& log_probabilities, const Tensor& targets);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_POINTWISE_LOSS_OPS_H_
