#include "engine/autograd/recurrent_ops.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/autograd/grad_mode.h"
#include "engine/autograd/node.h"
#include "engine/autograd/shard_cuts.h"
#include "engine/block_pool.h"
#include "engine/check.h"
#include "engine/kernels/matmul.h"
#include "engine/kernels/reduce.h"

namespace lockstep::autograd {
namespace {

struct Saved {
  kernels::RecurrentExtents extents;
  int64_t features = 0;
  bool last_only = false;
  PooledVector<int64_t> cuts;  // in rows (example, time)
  Tensor x, weight_ih, weight_hh, output, gates, state;

  int64_t rows() const { return extents.examples * extents.times; }
  int64_t width() const { return extents.gates() * extents.hidden; }
};

Saved CheckedExtents(kernels::RecurrentCell cell, const Variable& x, const RecurrentWeights& w) {
  const int64_t gates = kernels::RecurrentExtents{cell}.gates();
  const bool fits = x.rank() == 3 && w.weight_ih.rank() == 2 && w.weight_hh.rank() == 2 &&
                    x.dim(2) == w.weight_ih.dim(1) &&
                    w.weight_ih.dim(0) == gates * w.weight_hh.dim(1) &&
                    w.weight_hh.dim(0) == w.weight_ih.dim(0);
  LOCKSTEP_CHECK(
      fits, absl::StrCat("recurrent: input ", x.shape().ToString(), " does not fit weights ",
                         w.weight_ih.shape().ToString(), " and ", w.weight_hh.shape().ToString(),
                         " of ", gates, " gates"));
  LOCKSTEP_CHECK(w.bias_ih.defined() == w.bias_hh.defined(), "recurrent: both biases or none");
  for (const Variable& bias : {w.bias_ih, w.bias_hh}) {
    LOCKSTEP_CHECK(!bias.defined() || bias.shape() == Shape{w.weight_ih.dim(0)},
                   absl::StrCat("recurrent: bias ", bias.defined() ? bias.shape().ToString() : "",
                                " does not fit weight ", w.weight_ih.shape().ToString()));
  }
  Saved saved;
  saved.extents = {cell, x.dim(0), x.dim(1), w.weight_hh.dim(1)};
  saved.features = x.dim(2);
  return saved;
}

// The last time's rows of [n, times, hidden].
template <class T>
Tensor LastTime(const Saved& s) {
  const auto [cell, examples, times, hidden] = s.extents;
  Tensor last = Tensor::Empty({examples, hidden}, s.output.dtype());
  for (int64_t i = 0; i < examples; ++i) {
    const T* from = s.output.data<T>() + (i * times + times - 1) * hidden;
    std::copy(from, from + hidden, last.data<T>() + i * hidden);
  }
  return last;
}

template <class T>
Tensor AllTimes(const Saved& s, const Tensor& dlast) {
  const auto [cell, examples, times, hidden] = s.extents;
  Tensor dout = Tensor::Zeros({examples, times, hidden}, dlast.dtype());
  for (int64_t i = 0; i < examples; ++i) {
    const T* from = dlast.data<T>() + i * hidden;
    std::copy(from, from + hidden, dout.data<T>() + (i * times + times - 1) * hidden);
  }
  return dout;
}

// The state before each time: [n, times, hidden], +0 before the first.
template <class T>
Tensor OneTimeBefore(const Saved& s) {
  const auto [cell, examples, times, hidden] = s.extents;
  Tensor before = Tensor::Empty(s.output.shape(), s.output.dtype());
  for (int64_t i = 0; i < examples && times > 0; ++i) {
    const T* from = s.output.data<T>() + i * times * hidden;
    T* to = before.data<T>() + i * times * hidden;
    std::fill(to, to + hidden, T{0});
    std::copy(from, from + (times - 1) * hidden, to + hidden);
  }
  return before;
}

template <class T>
void Forward(const RecurrentWeights& w, bool wants_gradient, Saved& s) {
  const DType dtype = s.x.dtype();
  const auto [cell, examples, times, hidden] = s.extents;
  Tensor input = Tensor::Empty({examples, times, s.width()}, dtype);
  kernels::Matmul(s.rows(), s.width(), s.features, {s.x.data<T>(), false},
                  {s.weight_ih.data<T>(), true},
                  w.bias_ih.defined() ? w.bias_ih.value().data<T>() : nullptr,
                  kernels::Activation::kNone, input.data<T>());
  s.output = Tensor::Empty({examples, times, hidden}, dtype);
  if (wants_gradient) {
    s.gates = Tensor::Empty({examples, times, s.width()}, dtype);
    s.state = Tensor::Empty({examples, times, hidden}, dtype);
  }
  kernels::Recurrent(s.extents, input.data<T>(), s.weight_hh.data<T>(),
                     w.bias_hh.defined() ? w.bias_hh.value().data<T>() : nullptr,
                     s.output.data<T>(), wants_gradient ? s.gates.data<T>() : nullptr,
                     wants_gradient ? s.state.data<T>() : nullptr);
}

template <class T>
void Backward(const Saved& s, const Tensor& upstream, InputGradients& gradients) {
  const int64_t width = s.width(), hidden = s.extents.hidden;
  const bool lstm = s.extents.cell == kernels::RecurrentCell::kLstm;
  const Tensor dout = s.last_only ? AllTimes<T>(s, upstream) : upstream;
  Tensor dinput = Tensor::Empty(s.gates.shape(), upstream.dtype());
  Tensor drecurrent = lstm ? dinput : Tensor::Empty(s.gates.shape(), upstream.dtype());
  kernels::RecurrentBackward(s.extents, s.weight_hh.data<T>(), s.output.data<T>(),
                             s.gates.data<T>(), s.state.data<T>(), dout.data<T>(), dinput.data<T>(),
                             lstm ? nullptr : drecurrent.data<T>());
  const auto weight = [&](int i, const Tensor& dy, const Tensor& rows, int64_t columns) {
    if (!gradients.Wanted(i)) return;
    Tensor dw = gradients.Destination(i);
    kernels::MatmulShardTree(width, columns, s.cuts, dy.data<T>(), rows.data<T>(), dw.data<T>());
    gradients.Add(i, dw);
  };
  const auto bias = [&](int i, const Tensor& dy) {
    if (!gradients.Wanted(i)) return;
    Tensor db = gradients.Destination(i);
    kernels::SumColumnsShardTree(width, s.cuts, dy.data<T>(), db.data<T>());
    gradients.Add(i, db);
  };
  weight(1, dinput, s.x, s.features);
  if (gradients.Wanted(2)) weight(2, drecurrent, OneTimeBefore<T>(s), hidden);
  bias(3, dinput);
  bias(4, drecurrent);
  if (!gradients.Wanted(0)) return;
  Tensor dx = gradients.Destination(0);
  kernels::Matmul(s.rows(), s.features, width, {dinput.data<T>(), false},
                  {s.weight_ih.data<T>(), false}, nullptr, kernels::Activation::kNone,
                  dx.data<T>());
  gradients.Add(0, dx);
}

}  // namespace

Variable Recurrent(kernels::RecurrentCell cell, const Variable& x, const RecurrentWeights& weights,
                   bool last_only) {
  Saved saved = CheckedExtents(cell, x, weights);
  LOCKSTEP_CHECK(!last_only || saved.extents.times >= 1, "recurrent: no time to take the last of");
  const DType dtype = CommonDType("recurrent", x.value(), weights.weight_ih.value());
  saved.last_only = last_only;
  saved.cuts = RowCuts(ShardCuts::Current(), saved.rows());
  saved.x = x.value();
  saved.weight_ih = weights.weight_ih.value();
  saved.weight_hh = weights.weight_hh.value();
  const bool wants_gradient =
      GradEnabled() && (x.requires_grad() || weights.weight_ih.requires_grad() ||
                        weights.weight_hh.requires_grad() ||
                        (weights.bias_ih.defined() &&
                         (weights.bias_ih.requires_grad() || weights.bias_hh.requires_grad())));
  Tensor y;
  VisitFloating("recurrent", dtype, [&](auto zero) {
    using T = decltype(zero);
    Forward<T>(weights, wants_gradient, saved);
    y = last_only ? LastTime<T>(saved) : saved.output;
  });
  return MakeResult(cell == kernels::RecurrentCell::kLstm ? "lstm" : "gru", y,
                    {x, weights.weight_ih, weights.weight_hh, weights.bias_ih, weights.bias_hh},
                    [saved = std::move(saved)](const Tensor& upstream, InputGradients& gradients) {
                      VisitFloating("recurrent", upstream.dtype(), [&](auto zero) {
                        Backward<decltype(zero)>(saved, upstream, gradients);
                      });
                    });
}

}  // namespace lockstep::autograd
