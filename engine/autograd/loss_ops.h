// Losses of single examples. Training needs the sum over examples of their
// gradients: losses.Backward(Tensor::Full({n}, 1)).
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_LOSS_OPS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_LOSS_OPS_H_

#include <cstdint>
#include <optional>

#include "engine/autograd/variable.h"

namespace lockstep::autograd {

// Mean squared error of each example over its outputs.
// Shapes: predictions [n, ...], targets the same, of one dtype; result [n].
// Order: d = prediction - target; loss = SumRows(d * d) / outputs; gradient
// (d * (2 / outputs)) * upstream. No gradient goes to the targets.
Variable MseLoss(const Variable& predictions, const Tensor& targets);

struct ClassLossOptions {
  // [classes], of the outputs' dtype: what each label's loss is multiplied by.
  // Undefined: 1.
  Tensor class_weights;
  // Positions with this label do not count.
  std::optional<int64_t> ignored_label;
};

struct CrossEntropyOptions : ClassLossOptions {
  // The part of a label that is spread evenly over all classes, 0 to 1.
  double label_smoothing = 0;
};

struct CrossEntropyResult {
  Variable losses;     // [n]
  Tensor predictions;  // [n, ...] int64: the first class with the greatest logit
};

// Softmax and negative log-likelihood of each position's label. An example's loss
// is the mean over its positions that count, 0 where none does: a sum as SumRows,
// divided by their number. (torch's "mean" divides by the weights of the whole
// batch instead, so that there an example's part depends on the others; the two
// agree without weights where every example counts as many positions.)
// Shapes: logits [n, ..., classes], labels [n, ...] int64; no positions' axes: one
// position. Order of a position: kernels/cross_entropy.h, then, with class weights
// or smoothing, kernels/weighted_cross_entropy.h.
// Requires: 0 <= label < classes, or label == ignored_label.
CrossEntropyResult CrossEntropyLoss(const Variable& logits, const Tensor& labels,
                                    const CrossEntropyOptions& options = {});

// The same of log-probabilities, as torch.nn.NLLLoss: a position's loss is
// -(log_probability[label] * class_weight[label]).
Variable NllLoss(const Variable& log_probabilities, const Tensor& labels,
                 const ClassLossOptions& options = {});

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_LOSS_OPS_H_
