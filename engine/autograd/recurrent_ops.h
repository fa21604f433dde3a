// One layer of an LSTM or GRU, all times at once, with gradients.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_RECURRENT_OPS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_RECURRENT_OPS_H_

#include "engine/autograd/variable.h"
#include "engine/kernels/recurrent.h"

namespace lockstep::autograd {

// As in torch.nn.LSTM and torch.nn.GRU, gates one after another in torch's order.
struct RecurrentWeights {
  Variable weight_ih;  // [gates * hidden, features]
  Variable weight_hh;  // [gates * hidden, hidden]
  Variable bias_ih;    // [gates * hidden]; both or none
  Variable bias_hh;
};

// Shapes: x [n, times, features], result [n, times, hidden], or with last_only
// [n, hidden], the output at the last time (times >= 1). The state begins at 0.
// Aborts, naming both shapes, where they do not fit.
// Order: x W_ih^T + b_ih as kernels::Matmul, then kernels::Recurrent. The
// weights' gradients are one product over the rows (example, time) ascending,
// the state before the first time, +0, included, cut into the shard tree; the
// biases' are the column sums of the same rows.
Variable Recurrent(kernels::RecurrentCell cell, const Variable& x, const RecurrentWeights& weights,
                   bool last_only = false);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_RECURRENT_OPS_H_
