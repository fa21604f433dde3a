#include "engine/autograd/linear_ops.h"

#include "absl/strings/str_cat.h"
#include "engine/autograd/arithmetic_ops.h"
#include "engine/autograd/batched_matmul_ops.h"
#include "engine/autograd/expand_ops.h"
#include "engine/autograd/node.h"
#include "engine/autograd/shape_ops.h"
#include "engine/autograd/shard_cuts.h"
#include "engine/block_pool.h"
#include "engine/check.h"
#include "engine/kernels/elementwise.h"
#include "engine/kernels/reduce.h"

namespace lockstep::autograd {
namespace {

using kernels::Activation;

template <class T>
kernels::MatmulOperandOf<T> Plain(const Tensor& x) {
  return {x.data<T>(), false};
}
template <class T>
kernels::MatmulOperandOf<T> Transposed(const Tensor& x) {
  return {x.data<T>(), true};
}

// The extents of x [rows, in] (leading axes counted together), weight [out, in].
struct LinearExtents {
  int64_t rows = 1;
  int64_t in = 0;
  int64_t out = 0;
};

LinearExtents CheckedExtents(const Variable& x, const Variable& weight, const Variable& bias) {
  LOCKSTEP_CHECK(x.rank() >= 1 && weight.rank() == 2 && x.dim(-1) == weight.dim(1),
                 absl::StrCat("linear: input ", x.shape().ToString(), " does not fit weight ",
                              weight.shape().ToString(), " [out_features, in_features]"));
  LinearExtents extents;
  for (int i = 0; i < x.rank() - 1; ++i) extents.rows *= x.dim(i);
  extents.in = weight.dim(1);
  extents.out = weight.dim(0);
  if (bias.defined()) {
    LOCKSTEP_CHECK(bias.shape() == Shape{extents.out},
                   absl::StrCat("linear: bias ", bias.shape().ToString(), " does not fit weight ",
                                weight.shape().ToString()));
  }
  return extents;
}

// What Linear keeps for its backward.
struct LinearSaved {
  LinearExtents extents;
  Tensor input;
  Tensor weight;
  Tensor activated;  // the result, where relu was fused
  PooledVector<int64_t> cuts;
};

template <class T>
void LinearBackward(const LinearSaved& saved, const Tensor& upstream, InputGradients& gradients) {
  const auto [rows, in, out] = saved.extents;
  Tensor dy = upstream;
  if (saved.activated.defined()) {
    dy = Tensor::Empty(upstream.shape(), upstream.dtype());
    kernels::ActivationBackward(kernels::ActivationGradient::kRelu, dy.element_count(),
                                upstream.data<T>(), saved.activated.data<T>(), dy.data<T>());
  }
  // The parameters' gradients first: they can be sent off while the input's is computed.
  if (gradients.Wanted(1)) {
    Tensor dw = gradients.Destination(1);
    kernels::MatmulShardTree(out, in, saved.cuts, dy.data<T>(), saved.input.data<T>(),
                             dw.data<T>());
    gradients.Add(1, dw);
  }
  if (gradients.Wanted(2)) {
    Tensor db = gradients.Destination(2);
    kernels::SumColumnsShardTree(out, saved.cuts, dy.data<T>(), db.data<T>());
    gradients.Add(2, db);
  }
  if (gradients.Wanted(0)) {
    Tensor dx = gradients.Destination(0);
    kernels::Matmul(rows, in, out, Plain<T>(dy), Plain<T>(saved.weight), nullptr, Activation::kNone,
                    dx.data<T>());
    gradients.Add(0, dx);
  }
}

// The same as operations on variables.
void LinearBackward(const LinearSaved& saved, const Variable& upstream, GraphGradients& gradients) {
  const auto [rows, in, out] = saved.extents;
  Variable dy = Reshape(upstream, {rows, out});
  if (saved.activated.defined()) {
    const Tensor y = saved.activated;
    const Tensor ones = Tensor::Full(y.shape(), 1, y.dtype());
    Tensor slope = Tensor::Empty({rows, out}, y.dtype());
    VisitFloating("linear", y.dtype(), [&](auto zero) {
      using T = decltype(zero);
      kernels::ActivationBackward(kernels::ActivationGradient::kRelu, y.element_count(),
                                  ones.data<T>(), y.data<T>(), slope.data<T>());
    });
    dy = dy * Variable(slope);
  }
  if (gradients.Wanted(0)) {
    const Variable dx = Matmul(dy, gradients.Input(1, saved.weight));
    gradients.Add(0, Reshape(dx, saved.input.shape()));
  }
  if (gradients.Wanted(1)) {
    const Variable x = Reshape(gradients.Input(0, saved.input), {rows, in});
    gradients.Add(1, Matmul(dy, x, {true, false}));
  }
  if (gradients.Wanted(2)) gradients.Add(2, SumToShape(dy, {out}, saved.cuts));
}

struct LinearGradient {
  void operator()(const Tensor& upstream, InputGradients& gradients) const {
    VisitFloating("linear", upstream.dtype(),
                  [&](auto zero) { LinearBackward<decltype(zero)>(saved, upstream, gradients); });
  }
  void operator()(const Variable& upstream, GraphGradients& gradients) const {
    LinearBackward(saved, upstream, gradients);
  }

  LinearSaved saved;
};

// What Matmul keeps for its backward. With A and B the operands as the product
// takes them: dA = dY B^T, dB = A^T dY; their transposes where the operand is
// stored so.
struct MatmulGradient {
  template <class T>
  static kernels::MatmulOperandOf<T> Operand(const Tensor& x, bool transposed) {
    return {x.data<T>(), transposed};
  }

  template <class T>
  void Backward(const Tensor& dy, InputGradients& gradients) const {
    const auto product = [](int64_t rows, int64_t columns, int64_t inner,
                            kernels::MatmulOperandOf<T> left, kernels::MatmulOperandOf<T> right,
                            Tensor out) {
      kernels::Matmul(rows, columns, inner, left, right, nullptr, Activation::kNone, out.data<T>());
      return out;
    };
    const auto [ta, tb] = transposes;
    if (gradients.Wanted(0)) {
      Tensor da = gradients.Destination(0);
      gradients.Add(0, ta ? product(k, m, n, Operand<T>(b, tb), Operand<T>(dy, true), da)
                          : product(m, k, n, Operand<T>(dy, false), Operand<T>(b, !tb), da));
    }
    if (gradients.Wanted(1)) {
      Tensor db = gradients.Destination(1);
      gradients.Add(1, tb ? product(n, k, m, Operand<T>(dy, true), Operand<T>(a, ta), db)
                          : product(k, n, m, Operand<T>(a, !ta), Operand<T>(dy, false), db));
    }
  }

  void operator()(const Tensor& upstream, InputGradients& gradients) const {
    VisitFloating("matmul", upstream.dtype(),
                  [&](auto zero) { Backward<decltype(zero)>(upstream, gradients); });
  }
  void operator()(const Variable& dy, GraphGradients& gradients) const {
    const auto [ta, tb] = transposes;
    if (gradients.Wanted(0)) {
      const Variable right = gradients.Input(1, b);
      gradients.Add(0, ta ? Matmul(right, dy, {tb, true}) : Matmul(dy, right, {false, !tb}));
    }
    if (gradients.Wanted(1)) {
      const Variable left = gradients.Input(0, a);
      gradients.Add(1, tb ? Matmul(dy, left, {true, ta}) : Matmul(left, dy, {!ta, false}));
    }
  }

  Tensor a, b;
  MatmulTransposes transposes;
  int64_t m = 0, n = 0, k = 0;
};

}  // namespace

Variable Matmul(const Variable& a, const Variable& b, MatmulTransposes transposes) {
  if (a.rank() > 2 || b.rank() > 2) return BatchMatmul(a, b, transposes);
  const auto [ta, tb] = transposes;
  LOCKSTEP_CHECK(a.rank() == 2 && b.rank() == 2 && a.dim(ta ? 0 : 1) == b.dim(tb ? 1 : 0),
                 absl::StrCat("matmul: shapes ", a.shape().ToString(), ta ? " transposed" : "",
                              " and ", b.shape().ToString(), tb ? " transposed" : "",
                              " do not fit, want [m, k] and [k, n]"));
  ShardCuts::MarkUnsupported();
  MatmulGradient gradient{a.value(),         b.value(),         transposes,
                          a.dim(ta ? 1 : 0), b.dim(tb ? 0 : 1), a.dim(ta ? 0 : 1)};
  const DType dtype = CommonDType("matmul", gradient.a, gradient.b);
  Tensor y = Tensor::Empty({gradient.m, gradient.n}, dtype);
  VisitFloating("matmul", dtype, [&](auto zero) {
    using T = decltype(zero);
    kernels::Matmul(gradient.m, gradient.n, gradient.k, gradient.Operand<T>(gradient.a, ta),
                    gradient.Operand<T>(gradient.b, tb), nullptr, Activation::kNone, y.data<T>());
  });
  return MakeResult("matmul", std::move(y), {a, b}, std::move(gradient));
}

Variable Linear(const Variable& x, const Variable& weight, const Variable& bias,
                Activation activation) {
  const LinearExtents extents = CheckedExtents(x, weight, bias);
  const auto [rows, in, out] = extents;
  PooledVector<int64_t> shape = x.shape().extents();
  shape.back() = out;
  const Tensor input = x.value(), w = weight.value();
  const Tensor b = bias.defined() ? bias.value() : Tensor();
  const DType dtype = CommonDType("linear", input, w);
  if (b.defined()) CommonDType("linear", input, b);
  Tensor y = Tensor::Empty(Shape(std::move(shape)), dtype);
  VisitFloating("linear", dtype, [&](auto zero) {
    using T = decltype(zero);
    kernels::Matmul(rows, out, in, Plain<T>(input), Transposed<T>(w),
                    b.defined() ? b.data<T>() : nullptr, activation, y.data<T>());
  });
  const bool relu = activation == Activation::kRelu;
  LinearSaved saved{extents, input, w, relu ? y : Tensor(), RowCuts(ShardCuts::Current(), rows)};
  return MakeResult(relu ? "linear_relu" : "linear", y, {x, weight, bias},
                    LinearGradient{std::move(saved)});
}

}  // namespace lockstep::autograd
