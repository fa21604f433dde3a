#include "engine/autograd/normalization_ops.h"

#include "absl/strings/str_cat.h"
#include "engine/autograd/node.h"
#include "engine/autograd/shard_cuts.h"
#include "engine/block_pool.h"
#include "engine/check.h"
#include "engine/kernels/layer_norm.h"

namespace lockstep::autograd {
namespace {

template <class T>
const T* DataOrNull(const Tensor& tensor) {
  return tensor.defined() ? tensor.data<T>() : nullptr;
}

Tensor ValueOrNone(const Variable& variable) {
  return variable.defined() ? variable.value() : Tensor();
}

// x as [rows, columns].
struct RowExtents {
  int64_t rows = 0;
  int64_t columns = 0;
};

RowExtents CheckedExtents(const char* operation, const Variable& x, const Shape& normalized_shape,
                          const Variable& weight, const Variable& bias) {
  const int leading = x.rank() - normalized_shape.rank();
  bool fits = leading >= 0 && normalized_shape.rank() >= 1;
  for (int i = 0; fits && i < normalized_shape.rank(); ++i) {
    fits = x.dim(leading + i) == normalized_shape.dim(i);
  }
  LOCKSTEP_CHECK(fits, absl::StrCat(operation, ": got an input of shape ", x.shape().ToString(),
                                    ", want last axes ", normalized_shape.ToString()));
  for (const Variable& parameter : {weight, bias}) {
    LOCKSTEP_CHECK(
        !parameter.defined() || parameter.shape() == normalized_shape,
        absl::StrCat(operation, ": got a parameter of shape ", parameter.shape().ToString(),
                     ", want ", normalized_shape.ToString()));
  }
  RowExtents extents;
  extents.columns = normalized_shape.element_count();
  extents.rows = 1;
  for (int i = 0; i < leading; ++i) extents.rows *= x.dim(i);
  return extents;
}

// What the backward of both keeps; mean is undefined for RMS norm.
struct SavedRows {
  RowExtents extents;
  Shape normalized_shape;
  Tensor x, mean, rstd, weight;
  PooledVector<int64_t> cuts;
};

// Inputs of the node: x, weight, and for layer norm bias.
template <class T>
void BackwardOverRows(const SavedRows& saved, bool has_bias, const Tensor& upstream,
                      InputGradients& gradients) {
  const T* x = saved.x.data<T>();
  const T* mean = DataOrNull<T>(saved.mean);
  const T* rstd = saved.rstd.data<T>();
  const T* dy = upstream.data<T>();
  // The parameters' gradients first: they can be sent off while the input's is
  // computed.
  const bool wants_weight = gradients.Wanted(1);
  const bool wants_bias = has_bias && gradients.Wanted(2);
  if (wants_weight || wants_bias) {
    Tensor dweight = wants_weight ? gradients.Destination(1) : Tensor();
    Tensor dbias = wants_bias ? Tensor::Empty({saved.extents.columns}, upstream.dtype()) : Tensor();
    kernels::LayerNormParameterGradients(saved.extents.columns, saved.cuts, x, mean, rstd, dy,
                                         wants_weight ? dweight.data<T>() : nullptr,
                                         wants_bias ? dbias.data<T>() : nullptr);
    if (wants_weight) gradients.Add(1, dweight);
    if (wants_bias) gradients.Add(2, dbias.Reshape(saved.normalized_shape));
  }
  if (!gradients.Wanted(0)) return;
  Tensor dx = gradients.Destination(0);
  kernels::LayerNormBackward(saved.extents.rows, saved.extents.columns, x, mean, rstd,
                             DataOrNull<T>(saved.weight), dy, dx.data<T>());
  gradients.Add(0, dx);
}

auto BackwardOf(const char* operation, SavedRows saved, bool has_bias) {
  return [operation, saved = std::move(saved), has_bias](const Tensor& upstream,
                                                         InputGradients& gradients) {
    VisitFloating(operation, upstream.dtype(), [&](auto zero) {
      BackwardOverRows<decltype(zero)>(saved, has_bias, upstream, gradients);
    });
  };
}

}  // namespace

Variable LayerNorm(const Variable& x, const Shape& normalized_shape, const Variable& weight,
                   const Variable& bias, double epsilon) {
  const RowExtents extents = CheckedExtents("layer_norm", x, normalized_shape, weight, bias);
  const Tensor input = x.value(), w = ValueOrNone(weight), b = ValueOrNone(bias);
  Tensor y = Tensor::Empty(x.shape(), input.dtype());
  Tensor mean = Tensor::Empty({extents.rows}, input.dtype());
  Tensor rstd = Tensor::Empty({extents.rows}, input.dtype());
  VisitFloating("layer_norm", input.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::LayerNorm(extents.rows, extents.columns, static_cast<T>(epsilon), input.data<T>(),
                       DataOrNull<T>(w), DataOrNull<T>(b), y.data<T>(), mean.data<T>(),
                       rstd.data<T>());
  });
  SavedRows saved{
      extents, normalized_shape, input, mean, rstd, w, RowCuts(ShardCuts::Current(), extents.rows)};
  return MakeResult("layer_norm", y, {x, weight, bias},
                    BackwardOf("layer_norm", std::move(saved), bias.defined()));
}

Variable RmsNorm(const Variable& x, const Shape& normalized_shape, const Variable& weight,
                 double epsilon) {
  const RowExtents extents = CheckedExtents("rms_norm", x, normalized_shape, weight, Variable());
  const Tensor input = x.value(), w = ValueOrNone(weight);
  Tensor y = Tensor::Empty(x.shape(), input.dtype());
  Tensor rstd = Tensor::Empty({extents.rows}, input.dtype());
  VisitFloating("rms_norm", input.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::RmsNorm(extents.rows, extents.columns, static_cast<T>(epsilon), input.data<T>(),
                     DataOrNull<T>(w), y.data<T>(), rstd.data<T>());
  });
  SavedRows saved{extents,
                  normalized_shape,
                  input,
                  Tensor(),
                  rstd,
                  w,
                  RowCuts(ShardCuts::Current(), extents.rows)};
  return MakeResult("rms_norm", y, {x, weight}, BackwardOf("rms_norm", std::move(saved), false));
}

}  // namespace lockstep::autograd
