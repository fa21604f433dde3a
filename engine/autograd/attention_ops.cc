#include "engine/autograd/attention_ops.h"

#include "absl/strings/str_cat.h"
#include "engine/autograd/node.h"
#include "engine/check.h"
#include "engine/kernels/attention.h"
#include "engine/kernels/rotary_table.h"

namespace lockstep::autograd {
namespace {

kernels::AttentionExtents CheckedExtents(const Variable& qkv, const SelfAttentionOptions& options) {
  LOCKSTEP_CHECK(options.heads >= 1 && qkv.rank() == 3 && qkv.dim(2) > 0 &&
                     qkv.dim(2) % (3 * options.heads) == 0,
                 absl::StrCat("attention: got shape ", qkv.shape().ToString(),
                              ", want [n, positions, 3 * ", options.heads, " * head_dim]"));
  kernels::AttentionExtents extents;
  extents.examples = qkv.dim(0);
  extents.positions = qkv.dim(1);
  extents.heads = options.heads;
  extents.head_dim = qkv.dim(2) / (3 * options.heads);
  extents.causal = options.causal;
  if (options.rotary != nullptr) {
    const Tensor& cosines = options.rotary->cosines;
    LOCKSTEP_CHECK(
        cosines.dim(0) >= extents.positions && cosines.dim(1) * 2 == extents.head_dim &&
            cosines.dtype() == qkv.value().dtype(),
        absl::StrCat("attention: a rotary table of ", cosines.shape().ToString(), " does not fit ",
                     extents.positions, " positions and heads of ", extents.head_dim));
  }
  return extents;
}

template <class T>
kernels::RotaryTableOf<T> TableOf(const RotaryEmbedding& rotary) {
  if (!rotary.cosines.defined()) return {};
  return {rotary.cosines.data<T>(), rotary.sines.data<T>()};
}

}  // namespace

RotaryEmbedding RotaryEmbedding::Make(int64_t positions, int64_t head_dim, double base,
                                      DType dtype) {
  RotaryEmbedding rotary;
  rotary.cosines = Tensor::Empty({positions, head_dim / 2}, dtype);
  rotary.sines = Tensor::Empty({positions, head_dim / 2}, dtype);
  VisitFloating("rotary embedding", dtype, [&](auto zero) {
    using T = decltype(zero);
    kernels::FillRotaryTable(positions, head_dim, base, rotary.cosines.data<T>(),
                             rotary.sines.data<T>());
  });
  return rotary;
}

Variable SelfAttention(const Variable& qkv, const SelfAttentionOptions& options) {
  const kernels::AttentionExtents extents = CheckedExtents(qkv, options);
  const RotaryEmbedding rotary = options.rotary != nullptr ? *options.rotary : RotaryEmbedding();
  const Tensor x = qkv.value();
  Tensor y = Tensor::Empty({qkv.dim(0), qkv.dim(1), qkv.dim(2) / 3}, x.dtype());
  Tensor statistics =
      Tensor::Empty({extents.examples, extents.heads, extents.positions, 2}, x.dtype());
  VisitFloating("attention", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::Attention(extents, TableOf<T>(rotary), x.data<T>(), y.data<T>(), statistics.data<T>());
  });
  return MakeResult("attention", y, {qkv}, [=](const Tensor& upstream, InputGradients& gradients) {
    Tensor dx = gradients.Destination(0);
    VisitFloating("attention", x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      kernels::AttentionBackward(extents, TableOf<T>(rotary), x.data<T>(), y.data<T>(),
                                 statistics.data<T>(), upstream.data<T>(), dx.data<T>());
    });
    gradients.Add(0, dx);
  });
}

}  // namespace lockstep::autograd
