#include "engine/autograd/linear_ops.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/autograd/arithmetic_ops.h"
#include "engine/autograd/batched_matmul_ops.h"
#include "engine/autograd/expand_ops.h"
#include "engine/autograd/node.h"
#include "engine/autograd/shape_ops.h"
#include "engine/autograd/shard_cuts.h"
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
  std::vector<int64_t> cuts;
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
    gradients.Add(1, Matmul(Transpose(dy), x));
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

}  // namespace

Variable Matmul(const Variable& a, const Variable& b) {
  if (a.rank() > 2 || b.rank() > 2) return BatchMatmul(a, b);
  LOCKSTEP_CHECK(a.rank() == 2 && b.rank() == 2 && a.dim(1) == b.dim(0),
                 absl::StrCat("matmul: shapes ", a.shape().ToString(), " and ",
                              b.shape().ToString(), " do not fit, want [m, k] and [k, n]"));
  ShardCuts::MarkUnsupported();
  const int64_t m = a.dim(0), k = a.dim(1), n = b.dim(1);
  const Tensor x = a.value(), z = b.value();
  const DType dtype = CommonDType("matmul", x, z);
  Tensor y = Tensor::Empty({m, n}, dtype);
  VisitFloating("matmul", dtype, [&](auto zero) {
    using T = decltype(zero);
    kernels::Matmul(m, n, k, Plain<T>(x), Plain<T>(z), nullptr, Activation::kNone, y.data<T>());
  });
  return MakeResult("matmul", std::move(y), {a, b},
                    WithGraph(
                        [x, z, m, n, k](const Tensor& upstream, InputGradients& gradients) {
                          VisitFloating("matmul", x.dtype(), [&](auto zero) {
                            using T = decltype(zero);
                            if (gradients.Wanted(0)) {  // dA = dY B^T
                              Tensor da = gradients.Destination(0);
                              kernels::Matmul(m, k, n, Plain<T>(upstream), Transposed<T>(z),
                                              nullptr, Activation::kNone, da.data<T>());
                              gradients.Add(0, da);
                            }
                            if (gradients.Wanted(1)) {  // dB = A^T dY
                              Tensor db = gradients.Destination(1);
                              kernels::Matmul(k, n, m, Transposed<T>(x), Plain<T>(upstream),
                                              nullptr, Activation::kNone, db.data<T>());
                              gradients.Add(1, db);
                            }
                          });
                        },
                        [x, z](const Variable& upstream, GraphGradients& gradients) {
                          if (gradients.Wanted(0)) {
                            gradients.Add(0, Matmul(upstream, Transpose(gradients.Input(1, z))));
                          }
                          if (gradients.Wanted(1)) {
                            gradients.Add(1, Matmul(Transpose(gradients.Input(0, x)), upstream));
                          }
                        }));
}

Variable Linear(const Variable& x, const Variable& weight, const Variable& bias,
                Activation activation) {
  const LinearExtents extents = CheckedExtents(x, weight, bias);
  const auto [rows, in, out] = extents;
  std::vector<int64_t> shape = x.shape().extents();
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
