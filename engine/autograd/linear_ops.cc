#include "engine/autograd/linear_ops.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/autograd/node.h"
#include "engine/autograd/shard_cuts.h"
#include "engine/check.h"
#include "engine/kernels/elementwise.h"
#include "engine/kernels/reduce.h"

namespace lockstep::autograd {
namespace {

using kernels::Activation;

kernels::MatmulOperand Plain(const Tensor& x) { return {x.data<float>(), false}; }
kernels::MatmulOperand Transposed(const Tensor& x) { return {x.data<float>(), true}; }

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

}  // namespace

Variable Matmul(const Variable& a, const Variable& b) {
  LOCKSTEP_CHECK(a.rank() == 2 && b.rank() == 2 && a.dim(1) == b.dim(0),
                 absl::StrCat("matmul: shapes ", a.shape().ToString(), " and ",
                              b.shape().ToString(), " do not fit, want [m, k] and [k, n]"));
  ShardCuts::MarkUnsupported();
  const int64_t m = a.dim(0), k = a.dim(1), n = b.dim(1);
  const Tensor x = a.value(), z = b.value();
  Tensor y = Tensor::Empty({m, n});
  kernels::Matmul(m, n, k, Plain(x), Plain(z), nullptr, Activation::kNone, y.data<float>());
  return MakeResult("matmul", std::move(y), {a, b},
                    [x, z, m, n, k](const Tensor& upstream, InputGradients& gradients) {
                      if (gradients.Wanted(0)) {  // dA = dY B^T
                        Tensor da = gradients.Destination(0);
                        kernels::Matmul(m, k, n, Plain(upstream), Transposed(z), nullptr,
                                        Activation::kNone, da.data<float>());
                        gradients.Add(0, da);
                      }
                      if (gradients.Wanted(1)) {  // dB = A^T dY
                        Tensor db = gradients.Destination(1);
                        kernels::Matmul(k, n, m, Transposed(x), Plain(upstream), nullptr,
                                        Activation::kNone, db.data<float>());
                        gradients.Add(1, db);
                      }
                    });
}

Variable Linear(const Variable& x, const Variable& weight, const Variable& bias,
                Activation activation) {
  const LinearExtents extents = CheckedExtents(x, weight, bias);
  const auto [rows, in, out] = extents;
  std::vector<int64_t> shape = x.shape().extents();
  shape.back() = out;
  const Tensor input = x.value(), w = weight.value();
  const Tensor b = bias.defined() ? bias.value() : Tensor();
  Tensor y = Tensor::Empty(Shape(std::move(shape)));
  kernels::Matmul(rows, out, in, Plain(input), Transposed(w),
                  b.defined() ? b.data<float>() : nullptr, activation, y.data<float>());
  std::vector<int64_t> cuts = RowCuts(ShardCuts::Current(), rows);
  const Tensor activated = activation == Activation::kRelu ? y : Tensor();
  return MakeResult(activation == Activation::kRelu ? "linear_relu" : "linear", y,
                    {x, weight, bias},
                    [input, w, activated, cuts = std::move(cuts), extents](
                        const Tensor& upstream, InputGradients& gradients) {
                      const auto [rows, in, out] = extents;
                      Tensor dy = upstream;
                      if (activated.defined()) {
                        dy = Tensor::Empty(upstream.shape());
                        kernels::ActivationBackward(kernels::ActivationGradient::kRelu,
                                                    dy.element_count(), upstream.data<float>(),
                                                    activated.data<float>(), dy.data<float>());
                      }
                      // The parameters' gradients first: they can be sent off while the input's is
                      // computed.
                      if (gradients.Wanted(1)) {
                        Tensor dw = gradients.Destination(1);
                        kernels::MatmulShardTree(out, in, cuts, dy.data<float>(),
                                                 input.data<float>(), dw.data<float>());
                        gradients.Add(1, dw);
                      }
                      if (gradients.Wanted(2)) {
                        Tensor db = gradients.Destination(2);
                        kernels::SumColumnsShardTree(out, cuts, dy.data<float>(), db.data<float>());
                        gradients.Add(2, db);
                      }
                      if (gradients.Wanted(0)) {
                        Tensor dx = gradients.Destination(0);
                        kernels::Matmul(rows, in, out, Plain(dy), Plain(w), nullptr,
                                        Activation::kNone, dx.data<float>());
                        gradients.Add(0, dx);
                      }
                    });
}

}  // namespace lockstep::autograd
