#include "engine/autograd/convolution_ops.h"

#include "absl/strings/str_cat.h"
#include "engine/autograd/node.h"
#include "engine/autograd/shape_ops.h"
#include "engine/autograd/shard_cuts.h"
#include "engine/block_pool.h"
#include "engine/check.h"
#include "engine/kernels/convolution.h"
#include "engine/kernels/elementwise.h"

namespace lockstep::autograd {
namespace {

using kernels::Activation;
using kernels::ConvolutionShape;

ConvolutionShape CheckedShape(const Variable& x, const Variable& weight, const Variable& bias,
                              const ConvolutionOptions& options) {
  const int64_t groups = options.groups;
  LOCKSTEP_CHECK(groups >= 1 && options.stride[0] >= 1 && options.stride[1] >= 1 &&
                     options.padding[0] >= 0 && options.padding[1] >= 0 &&
                     options.dilation[0] >= 1 && options.dilation[1] >= 1,
                 "convolution: stride, dilation and groups must be at least 1, padding at least 0");
  const bool fits = x.rank() == 4 && weight.rank() == 4 && weight.dim(0) % groups == 0 &&
                    x.dim(1) == weight.dim(1) * groups;
  LOCKSTEP_CHECK(
      fits, absl::StrCat("convolution: input ", x.shape().ToString(), " does not fit weight ",
                         weight.shape().ToString(),
                         " [out_channels, in_channels / groups, height, width], groups ", groups));
  LOCKSTEP_CHECK(!bias.defined() || bias.shape() == Shape{weight.dim(0)},
                 absl::StrCat("convolution: bias of another shape than [", weight.dim(0), "]"));
  ConvolutionShape shape;
  shape.examples = x.dim(0);
  shape.in_channels = x.dim(1);
  shape.in_height = x.dim(2);
  shape.in_width = x.dim(3);
  shape.out_channels = weight.dim(0);
  shape.kernel_height = weight.dim(2);
  shape.kernel_width = weight.dim(3);
  shape.stride_height = options.stride[0];
  shape.stride_width = options.stride[1];
  shape.padding_height = options.padding[0];
  shape.padding_width = options.padding[1];
  shape.dilation_height = options.dilation[0];
  shape.dilation_width = options.dilation[1];
  shape.groups = groups;
  LOCKSTEP_CHECK(shape.OutHeight() >= 1 && shape.OutWidth() >= 1,
                 absl::StrCat("convolution: the kernel of weight ", weight.shape().ToString(),
                              " is larger than the padded input ", x.shape().ToString()));
  return shape;
}

// What Conv2d keeps for its backward.
struct ConvolutionSaved {
  ConvolutionShape shape;
  Tensor input;
  Tensor weight;
  Tensor activated;  // the result, where relu was fused
  PooledVector<int64_t> cuts;
};

template <class T>
void ConvolutionBackward(const ConvolutionSaved& saved, const Tensor& upstream,
                         InputGradients& gradients) {
  Tensor dy = upstream;
  if (saved.activated.defined()) {
    dy = Tensor::Empty(upstream.shape(), upstream.dtype());
    kernels::ActivationBackward(kernels::ActivationGradient::kRelu, dy.element_count(),
                                upstream.data<T>(), saved.activated.data<T>(), dy.data<T>());
  }
  // The parameters' gradients first: they can be sent off while the input's is computed.
  if (gradients.Wanted(1)) {
    Tensor dw = gradients.Destination(1);
    kernels::ConvolutionWeightGradient(saved.shape, saved.cuts, saved.input.data<T>(), dy.data<T>(),
                                       dw.data<T>());
    gradients.Add(1, dw);
  }
  if (gradients.Wanted(2)) {
    Tensor db = gradients.Destination(2);
    kernels::ConvolutionBiasGradient(saved.shape, saved.cuts, dy.data<T>(), db.data<T>());
    gradients.Add(2, db);
  }
  if (gradients.Wanted(0)) {
    Tensor dx = gradients.Destination(0);
    kernels::ConvolutionInputGradient(saved.shape, dy.data<T>(), saved.weight.data<T>(),
                                      dx.data<T>());
    gradients.Add(0, dx);
  }
}

Variable WithRow(const Variable& x) {
  LOCKSTEP_CHECK(x.rank() == 3, absl::StrCat("convolution: got shape ", x.shape().ToString(),
                                             ", want three axes, the last the length"));
  return Reshape(x, {x.dim(0), x.dim(1), 1, x.dim(2)});
}

}  // namespace

Variable Conv2d(const Variable& x, const Variable& weight, const Variable& bias,
                const ConvolutionOptions& options, Activation activation) {
  const ConvolutionShape shape = CheckedShape(x, weight, bias, options);
  const Tensor input = x.value(), w = weight.value();
  const Tensor b = bias.defined() ? bias.value() : Tensor();
  const DType dtype = CommonDType("convolution", input, w);
  Tensor y = Tensor::Empty(
      {shape.examples, shape.out_channels, shape.OutHeight(), shape.OutWidth()}, dtype);
  VisitFloating("convolution", dtype, [&](auto zero) {
    using T = decltype(zero);
    kernels::Convolution(shape, input.data<T>(), w.data<T>(), b.defined() ? b.data<T>() : nullptr,
                         activation, y.data<T>());
  });
  const bool relu = activation == Activation::kRelu;
  ConvolutionSaved saved{shape, input, w, relu ? y : Tensor(),
                         RowCuts(ShardCuts::Current(), shape.examples)};
  return MakeResult(relu ? "conv2d_relu" : "conv2d", y, {x, weight, bias},
                    [saved = std::move(saved)](const Tensor& upstream, InputGradients& gradients) {
                      VisitFloating("convolution", upstream.dtype(), [&](auto zero) {
                        ConvolutionBackward<decltype(zero)>(saved, upstream, gradients);
                      });
                    });
}

Variable Conv1d(const Variable& x, const Variable& weight, const Variable& bias,
                const ConvolutionOptions& options, Activation activation) {
  ConvolutionOptions row = options;
  row.stride[0] = row.dilation[0] = 1;
  row.padding[0] = 0;
  const Variable y = Conv2d(WithRow(x), WithRow(weight), bias, row, activation);
  return Reshape(y, {y.dim(0), y.dim(1), y.dim(3)});
}

}  // namespace lockstep::autograd
