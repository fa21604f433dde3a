#include "engine/autograd/channel_norm_ops.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "engine/autograd/node.h"
#include "engine/autograd/shard_cuts.h"
#include "engine/block_pool.h"
#include "engine/check.h"
#include "engine/kernels/channel_norm.h"
#include "engine/kernels/reduce.h"

namespace lockstep::autograd {
namespace {

using kernels::ChannelSets;

template <class T>
const T* DataOrNull(const Tensor& tensor) {
  return tensor.defined() ? tensor.data<T>() : nullptr;
}

Tensor ValueOrNone(const Variable& variable) {
  return variable.defined() ? variable.value() : Tensor();
}

// What forward and backward of both share.
struct ChannelNormState {
  int64_t channels = 0;
  int64_t positions = 1;
  int64_t group_channels = 1;
  PooledVector<int64_t> runs;        // examples that share statistics
  PooledVector<int64_t> shard_cuts;  // of the parameters' gradients
  bool fixed_statistics = false;     // they do not depend on x (evaluation)
  Tensor x, weight, mean, rstd;
  Tensor mean_share, variance_share;  // the running statistics' gradients

  ChannelSets sets() const { return {channels, positions, group_channels, runs}; }
};

ChannelNormState StateOf(const char* operation, const Variable& x,
                         std::initializer_list<Variable> parameters) {
  LOCKSTEP_CHECK(x.rank() >= 2, absl::StrCat(operation, ": got an input of shape ",
                                             x.shape().ToString(), ", want [n, channels, ...]"));
  ChannelNormState state;
  state.channels = x.dim(1);
  for (int axis = 2; axis < x.rank(); ++axis) state.positions *= x.dim(axis);
  for (const Variable& parameter : parameters) {
    LOCKSTEP_CHECK(!parameter.defined() || parameter.shape() == Shape{state.channels},
                   absl::StrCat(operation, ": got a parameter of shape ",
                                parameter.shape().ToString(), ", want [", state.channels,
                                "], the channels of input ", x.shape().ToString()));
  }
  state.x = x.value();
  state.shard_cuts = RowCuts(ShardCuts::Current(), x.dim(0));
  return state;
}

// Sets mean, rstd; squares [runs, groups] are returned for the variance.
template <class T>
Tensor Measure(double epsilon, ChannelNormState& state) {
  const ChannelSets sets = state.sets();
  const Shape shape = {sets.runs(), sets.groups()};
  state.mean = Tensor::Empty(shape, state.x.dtype());
  state.rstd = Tensor::Empty(shape, state.x.dtype());
  Tensor squares = Tensor::Empty(shape, state.x.dtype());
  kernels::ChannelStatistics(sets, state.x.data<T>(), state.mean.data<T>(), squares.data<T>());
  for (int64_t i = 0; i < shape.element_count(); ++i) {
    const T count = static_cast<T>(sets.SetSize(i / sets.groups()));
    state.rstd.data<T>()[i] =
        T{1} / std::sqrt(squares.data<T>()[i] / count + static_cast<T>(epsilon));
  }
  return squares;
}

// The shard tree over one row per shard.
template <class T>
Tensor TreeOverRows(const Tensor& rows) {
  PooledVector<int64_t> cuts(rows.dim(0) + 1);
  for (size_t i = 0; i < cuts.size(); ++i) cuts[i] = static_cast<int64_t>(i);
  Tensor root = Tensor::Empty({rows.dim(1)}, rows.dtype());
  kernels::SumColumnsShardTree(rows.dim(1), cuts, rows.data<T>(), root.data<T>());
  return root;
}

template <class T>
void ShareStatistics(const Tensor& squares, ChannelNormState& state) {
  const ChannelSets sets = state.sets();
  Tensor means = Tensor::Zeros(squares.shape(), squares.dtype());
  Tensor variances = Tensor::Zeros(squares.shape(), squares.dtype());
  for (int64_t run = 0; run < sets.runs(); ++run) {
    const T examples = static_cast<T>(state.runs[run + 1] - state.runs[run]);
    if (examples == 0) continue;
    const T divisor = static_cast<T>(std::max<int64_t>(1, sets.SetSize(run) - 1));
    for (int64_t i = run * sets.groups(); i < (run + 1) * sets.groups(); ++i) {
      means.data<T>()[i] = examples * state.mean.data<T>()[i];
      variances.data<T>()[i] = examples * (squares.data<T>()[i] / divisor);
    }
  }
  state.mean_share = TreeOverRows<T>(means);
  state.variance_share = TreeOverRows<T>(variances);
}

template <class T>
Tensor Normalize(const ChannelNormState& state, const Tensor& bias) {
  Tensor y = Tensor::Empty(state.x.shape(), state.x.dtype());
  kernels::ChannelNorm(state.sets(), state.x.data<T>(), state.mean.data<T>(), state.rstd.data<T>(),
                       DataOrNull<T>(state.weight), DataOrNull<T>(bias), y.data<T>());
  return y;
}

// row_sums [n, channels] to [runs, groups]: a set's sum, times weight, divided
// by its elements.
template <class T>
Tensor SetMeans(const ChannelNormState& state, const Tensor& row_sums) {
  const ChannelSets sets = state.sets();
  Tensor means = Tensor::Zeros({sets.runs(), sets.groups()}, row_sums.dtype());
  if (state.fixed_statistics) return means;
  const T* weight = DataOrNull<T>(state.weight);
  Tensor sums = Tensor::Empty({state.channels}, row_sums.dtype());
  for (int64_t run = 0; run < sets.runs(); ++run) {
    kernels::SumColumns(state.runs[run + 1] - state.runs[run], state.channels,
                        row_sums.data<T>() + state.runs[run] * state.channels, sums.data<T>());
    T* to = means.data<T>() + run * sets.groups();
    for (int64_t c = 0; c < state.channels; ++c) {
      T& chain = to[c / state.group_channels];
      chain = std::fma(weight == nullptr ? T{1} : weight[c], sums.data<T>()[c], chain);
    }
    const T count = static_cast<T>(sets.SetSize(run));
    for (int64_t group = 0; group < sets.groups(); ++group) to[group] = to[group] / count;
  }
  return means;
}

// Inputs of the node: x, weight, bias, and for batch norm the running statistics.
template <class T>
void Backward(const ChannelNormState& state, const Tensor& upstream, InputGradients& gradients) {
  const ChannelSets sets = state.sets();
  const T* x = state.x.data<T>();
  const T* mean = state.mean.data<T>();
  const T* rstd = state.rstd.data<T>();
  Tensor dy_sums = Tensor::Empty({sets.examples(), state.channels}, upstream.dtype());
  Tensor product_sums = Tensor::Empty(dy_sums.shape(), upstream.dtype());
  kernels::ChannelGradientSums(sets, x, mean, rstd, upstream.data<T>(), dy_sums.data<T>(),
                               product_sums.data<T>());
  for (const auto& [input, sums] : {std::pair(1, product_sums), std::pair(2, dy_sums)}) {
    if (!gradients.Wanted(input)) continue;
    Tensor gradient = gradients.Destination(input);
    kernels::SumColumnsShardTree(state.channels, state.shard_cuts, sums.template data<T>(),
                                 gradient.data<T>());
    gradients.Add(input, gradient);
  }
  if (!gradients.Wanted(0)) return;
  const Tensor a = SetMeans<T>(state, dy_sums), b = SetMeans<T>(state, product_sums);
  Tensor dx = gradients.Destination(0);
  kernels::ChannelNormBackward(sets, x, mean, rstd, DataOrNull<T>(state.weight), a.data<T>(),
                               b.data<T>(), upstream.data<T>(), dx.data<T>());
  gradients.Add(0, dx);
}

// The running statistics as those of one run.
template <class T>
void UseRunning(const Tensor& mean, const Tensor& variance, double epsilon,
                ChannelNormState& state) {
  state.fixed_statistics = true;
  state.mean = mean.Reshape({1, state.channels});
  state.rstd = Tensor::Empty({1, state.channels}, mean.dtype());
  for (int64_t c = 0; c < state.channels; ++c) {
    state.rstd.data<T>()[c] = T{1} / std::sqrt(variance.data<T>()[c] + static_cast<T>(epsilon));
  }
}

}  // namespace

Variable BatchNorm(const Variable& x, const Variable& weight, const Variable& bias,
                   const Variable& running_mean, const Variable& running_var, bool training,
                   double epsilon) {
  ChannelNormState state = StateOf("batch_norm", x, {weight, bias, running_mean, running_var});
  state.weight = ValueOrNone(weight);
  state.runs = training ? state.shard_cuts : PooledVector<int64_t>{0, x.dim(0)};
  Tensor y;
  VisitFloating("batch_norm", state.x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if (training) {
      ShareStatistics<T>(Measure<T>(epsilon, state), state);
    } else {
      UseRunning<T>(running_mean.value(), running_var.value(), epsilon, state);
      state.mean_share = state.variance_share = Tensor::Zeros({state.channels}, state.x.dtype());
    }
    y = Normalize<T>(state, ValueOrNone(bias));
  });
  return MakeResult("batch_norm", y, {x, weight, bias, running_mean, running_var},
                    [state](const Tensor& upstream, InputGradients& gradients) {
                      if (gradients.Wanted(3)) gradients.Add(3, state.mean_share);
                      if (gradients.Wanted(4)) gradients.Add(4, state.variance_share);
                      VisitFloating("batch_norm", upstream.dtype(), [&](auto zero) {
                        Backward<decltype(zero)>(state, upstream, gradients);
                      });
                    });
}

Variable GroupNorm(const Variable& x, int64_t groups, const Variable& weight, const Variable& bias,
                   double epsilon) {
  ChannelNormState state = StateOf("group_norm", x, {weight, bias});
  LOCKSTEP_CHECK(groups >= 1 && state.channels % groups == 0,
                 absl::StrCat("group_norm: ", groups, " groups do not divide the channels of ",
                              x.shape().ToString()));
  state.weight = ValueOrNone(weight);
  state.group_channels = state.channels / groups;
  for (int64_t e = 0; e <= x.dim(0); ++e) state.runs.push_back(e);
  Tensor y;
  VisitFloating("group_norm", state.x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    Measure<T>(epsilon, state);
    y = Normalize<T>(state, ValueOrNone(bias));
  });
  return MakeResult("group_norm", y, {x, weight, bias},
                    [state](const Tensor& upstream, InputGradients& gradients) {
                      VisitFloating("group_norm", upstream.dtype(), [&](auto zero) {
                        Backward<decltype(zero)>(state, upstream, gradients);
                      });
                    });
}

}  // namespace lockstep::autograd
