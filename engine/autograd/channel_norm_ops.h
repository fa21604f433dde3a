// Batch and group normalisation over channels, with gradients.
// x [n, channels, positions...]; shapes that do not fit abort with both named.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_CHANNEL_NORM_OPS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_CHANNEL_NORM_OPS_H_

#include <cstdint>

#include "engine/autograd/variable.h"

namespace lockstep::autograd {

// Each channel brought to mean 0 and variance 1, times weight, plus bias.
// Shapes: weight, bias [channels], either may be undefined; running_mean,
// running_var [channels].
//
// Training: by the statistics of each virtual shard (ShardCuts; without cuts the
// whole batch is one). What the running statistics get as gradient is what a
// server needs to move them (ParameterKind::kRunningStatistic): the shard tree
// over examples * mean, and over examples * unbiased variance, squares /
// (elements - 1), or squares / elements of a single one; +0 for a shard without
// examples. Evaluation: by the running statistics, whose gradient is then +0.
//
// Order: kernels/channel_norm.h with the shards as runs; rstd = 1 / sqrt(squares
// / elements + epsilon). Backward: per example and channel the row sums of dy
// and of dy * h; bias's and weight's gradients are their sums over the examples,
// by SumColumnsShardTree; a shard's chains over its examples, times weight,
// divided by its elements are the a and b of ChannelNormBackward (+0 in
// evaluation).
Variable BatchNorm(const Variable& x, const Variable& weight, const Variable& bias,
                   const Variable& running_mean, const Variable& running_var, bool training,
                   double epsilon = 1e-5);

// Each example's channels in `groups` groups, each brought to mean 0 and
// variance 1. Order: as BatchNorm in training with every example a run; a =
// (chain over the group's channels from +0 of fma(weight, sum, chain)) / elements.
// Shard cuts are kept apart. Requires: groups divides the channels.
Variable GroupNorm(const Variable& x, int64_t groups, const Variable& weight, const Variable& bias,
                   double epsilon = 1e-5);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_CHANNEL_NORM_OPS_H_
