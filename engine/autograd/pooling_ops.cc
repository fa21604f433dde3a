#include "engine/autograd/pooling_ops.h"

#include "absl/strings/str_cat.h"
#include "engine/autograd/node.h"
#include "engine/autograd/shape_ops.h"
#include "engine/check.h"
#include "engine/kernels/pooling.h"

namespace lockstep::autograd {
namespace {

using kernels::PoolingAxis;
using kernels::PoolingShape;

void CheckRank(const Variable& x, int rank) {
  LOCKSTEP_CHECK(x.rank() == rank, absl::StrCat("pooling: got shape ", x.shape().ToString(),
                                                ", want ", rank, " axes"));
}

PoolingShape ShapeOf(const Variable& x, const PoolingAxis& rows, const PoolingAxis& columns) {
  LOCKSTEP_CHECK(
      rows.out >= 1 && columns.out >= 1,
      absl::StrCat("pooling: the kernel is larger than the padded input ", x.shape().ToString()));
  PoolingShape shape;
  shape.planes = x.dim(0) * x.dim(1);
  shape.rows = rows;
  shape.columns = columns;
  return shape;
}

PoolingShape FixedShape(const Variable& x, const PoolingOptions& options) {
  CheckRank(x, 4);
  const auto axis = [&](int i) {
    const int64_t kernel = options.kernel[i], padding = options.padding[i];
    LOCKSTEP_CHECK(kernel >= 1 && options.stride[i] >= 1 && padding >= 0 && 2 * padding <= kernel,
                   absl::StrCat("pooling: kernel ", kernel, ", stride ", options.stride[i],
                                ", padding ", padding,
                                "; want kernel and stride of at least 1, padding of at most half "
                                "the kernel"));
    return PoolingAxis::Fixed(x.dim(2 + i), kernel, options.stride[i], padding);
  };
  PoolingShape shape = ShapeOf(x, axis(0), axis(1));
  shape.count_padding = options.count_padding;
  return shape;
}

PoolingShape AdaptiveShape(const Variable& x, const HeightWidth& output_size) {
  CheckRank(x, 4);
  LOCKSTEP_CHECK(x.dim(2) >= 1 && x.dim(3) >= 1,
                 absl::StrCat("pooling: got an empty plane, shape ", x.shape().ToString()));
  return ShapeOf(x, PoolingAxis::Adaptive(x.dim(2), output_size[0]),
                 PoolingAxis::Adaptive(x.dim(3), output_size[1]));
}

Tensor OutputOf(const Tensor& x, const PoolingShape& shape) {
  return Tensor::Empty({x.dim(0), x.dim(1), shape.rows.out, shape.columns.out}, x.dtype());
}

Variable Average(const char* name, const Variable& x, const PoolingShape& shape) {
  Tensor y = OutputOf(x.value(), shape);
  VisitFloating(name, y.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::AveragePool(shape, x.value().data<T>(), y.data<T>());
  });
  return MakeResult(name, y, {x}, [name, shape](const Tensor& upstream, InputGradients& gradients) {
    Tensor dx = gradients.Destination(0);
    VisitFloating(name, dx.dtype(), [&](auto zero) {
      using T = decltype(zero);
      kernels::AveragePoolGradient(shape, upstream.data<T>(), dx.data<T>());
    });
    gradients.Add(0, dx);
  });
}

Variable Greatest(const char* name, const Variable& x, const PoolingShape& shape) {
  const Tensor input = x.value();
  Tensor y = OutputOf(input, shape);
  VisitFloating(name, y.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::MaxPool(shape, input.data<T>(), y.data<T>());
  });
  return MakeResult(
      name, y, {x}, [name, input, shape](const Tensor& upstream, InputGradients& gradients) {
        Tensor dx = gradients.Destination(0);
        VisitFloating(name, dx.dtype(), [&](auto zero) {
          using T = decltype(zero);
          kernels::MaxPoolGradient(shape, input.data<T>(), upstream.data<T>(), dx.data<T>());
        });
        gradients.Add(0, dx);
      });
}

Variable WithRow(const Variable& x) {
  CheckRank(x, 3);
  return Reshape(x, {x.dim(0), x.dim(1), 1, x.dim(2)});
}

Variable WithoutRow(const Variable& y) { return Reshape(y, {y.dim(0), y.dim(1), y.dim(3)}); }

PoolingOptions OneRow(PoolingOptions options) {
  options.kernel[0] = options.stride[0] = 1;
  options.padding[0] = 0;
  return options;
}

}  // namespace

Variable MaxPool2d(const Variable& x, const PoolingOptions& options) {
  return Greatest("max_pool2d", x, FixedShape(x, options));
}

Variable AvgPool2d(const Variable& x, const PoolingOptions& options) {
  return Average("avg_pool2d", x, FixedShape(x, options));
}

Variable AdaptiveAvgPool2d(const Variable& x, const HeightWidth& output_size) {
  return Average("adaptive_avg_pool2d", x, AdaptiveShape(x, output_size));
}

Variable AdaptiveMaxPool2d(const Variable& x, const HeightWidth& output_size) {
  return Greatest("adaptive_max_pool2d", x, AdaptiveShape(x, output_size));
}

Variable MaxPool1d(const Variable& x, const PoolingOptions& options) {
  return WithoutRow(MaxPool2d(WithRow(x), OneRow(options)));
}

Variable AvgPool1d(const Variable& x, const PoolingOptions& options) {
  return WithoutRow(AvgPool2d(WithRow(x), OneRow(options)));
}

Variable AdaptiveAvgPool1d(const Variable& x, int64_t output_size) {
  return WithoutRow(AdaptiveAvgPool2d(WithRow(x), {1, output_size}));
}

Variable AdaptiveMaxPool1d(const Variable& x, int64_t output_size) {
  return WithoutRow(AdaptiveMaxPool2d(WithRow(x), {1, output_size}));
}

}  // namespace lockstep::autograd
