#include "engine/autograd/softmax_ops.h"

#include "absl/strings/str_cat.h"
#include "engine/autograd/arithmetic_ops.h"
#include "engine/autograd/node.h"
#include "engine/autograd/reduction_ops.h"
#include "engine/autograd/shape_ops.h"
#include "engine/autograd/shard_cuts.h"
#include "engine/block_pool.h"
#include "engine/check.h"
#include "engine/kernels/softmax.h"

namespace lockstep::autograd {
namespace {

// `axis` from the front; tells the shard cuts where it is the examples'.
int CheckedAxis(const char* operation, const Variable& x, int axis) {
  LOCKSTEP_CHECK(axis >= -x.rank() && axis < x.rank(),
                 absl::StrCat(operation, ": shape ", x.shape().ToString(), " has no axis ", axis));
  const int from_front = axis < 0 ? axis + x.rank() : axis;
  LOCKSTEP_CHECK(x.dim(from_front) >= 1, absl::StrCat(operation, ": axis ", axis, " of shape ",
                                                      x.shape().ToString(), " is empty"));
  if (from_front == 0) ShardCuts::MarkUnsupported();
  return from_front;
}

int64_t RowsOf(const Variable& x) { return x.value().element_count() / x.dim(-1); }

Variable SoftmaxOfRows(const Variable& x, float scale) {
  const int64_t rows = RowsOf(x), columns = x.dim(-1);
  const Tensor input = x.value();
  Tensor y = Tensor::Empty(x.shape(), input.dtype());
  VisitFloating("softmax", input.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::Softmax(rows, columns, static_cast<T>(scale), input.data<T>(), y.data<T>());
  });
  return MakeResult(
      "softmax", y, {x},
      WithGraph(
          [y, rows, columns, scale](const Tensor& upstream, InputGradients& gradients) {
            Tensor dx = gradients.Destination(0);
            VisitFloating("softmax", y.dtype(), [&](auto zero) {
              using T = decltype(zero);
              kernels::SoftmaxBackward(rows, columns, static_cast<T>(scale), y.data<T>(),
                                       upstream.data<T>(), dx.data<T>());
            });
            gradients.Add(0, dx);
          },
          [y, scale](const Variable& upstream, GraphGradients& gradients) {
            const Variable result = gradients.Result(y);
            const Variable mean = Sum(upstream * result, -1, /*keep_axis=*/true);
            gradients.Add(0, (result * (upstream - mean)) * static_cast<double>(scale));
          }));
}

Variable LogSoftmaxOfRows(const Variable& x) {
  const int64_t rows = RowsOf(x), columns = x.dim(-1);
  const Tensor input = x.value();
  Tensor y = Tensor::Empty(x.shape(), input.dtype());
  VisitFloating("log_softmax", input.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::LogSoftmax(rows, columns, input.data<T>(), y.data<T>());
  });
  return MakeResult("log_softmax", y, {x},
                    WithGraph(
                        [y, rows, columns](const Tensor& upstream, InputGradients& gradients) {
                          Tensor dx = gradients.Destination(0);
                          VisitFloating("log_softmax", y.dtype(), [&](auto zero) {
                            using T = decltype(zero);
                            kernels::LogSoftmaxBackward(rows, columns, y.data<T>(),
                                                        upstream.data<T>(), dx.data<T>());
                          });
                          gradients.Add(0, dx);
                        },
                        [y](const Variable& upstream, GraphGradients& gradients) {
                          const Variable sum = Sum(upstream, -1, /*keep_axis=*/true);
                          gradients.Add(0, upstream - Exp(gradients.Result(y)) * sum);
                        }));
}

// The last axis stays with extent 1.
Variable LogSumExpOfRows(const Variable& x) {
  const int64_t rows = RowsOf(x), columns = x.dim(-1);
  const Tensor input = x.value();
  PooledVector<int64_t> extents = x.shape().extents();
  extents.back() = 1;
  Tensor y = Tensor::Empty(Shape(std::move(extents)), input.dtype());
  VisitFloating("logsumexp", input.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::LogSumExp(rows, columns, input.data<T>(), y.data<T>());
  });
  return MakeResult(
      "logsumexp", y, {x},
      WithGraph(
          [input, y, rows, columns](const Tensor& upstream, InputGradients& gradients) {
            Tensor dx = gradients.Destination(0);
            VisitFloating("logsumexp", y.dtype(), [&](auto zero) {
              using T = decltype(zero);
              kernels::LogSumExpBackward(rows, columns, input.data<T>(), y.data<T>(),
                                         upstream.data<T>(), dx.data<T>());
            });
            gradients.Add(0, dx);
          },
          [input, y](const Variable& upstream, GraphGradients& gradients) {
            gradients.Add(0, Exp(gradients.Input(0, input) - gradients.Result(y)) * upstream);
          }));
}

// f over `axis`, brought to the end and back.
template <class F>
Variable OverAxis(const Variable& x, int axis, const F& f) {
  if (axis == x.rank() - 1) return f(x);
  return Transpose(f(Transpose(x, axis, -1)), axis, -1);
}

}  // namespace

Variable Softmax(const Variable& x, int axis, float scale) {
  return OverAxis(x, CheckedAxis("softmax", x, axis),
                  [&](const Variable& rows) { return SoftmaxOfRows(rows, scale); });
}

Variable LogSoftmax(const Variable& x, int axis) {
  return OverAxis(x, CheckedAxis("log_softmax", x, axis), LogSoftmaxOfRows);
}

Variable LogSumExp(const Variable& x, int axis, bool keep_axis) {
  const int checked = CheckedAxis("logsumexp", x, axis);
  const Variable kept = OverAxis(x, checked, LogSumExpOfRows);
  if (keep_axis) return kept;
  PooledVector<int64_t> extents = x.shape().extents();
  extents.erase(extents.begin() + checked);
  return Reshape(kept, Shape(std::move(extents)));
}

}  // namespace lockstep::autograd
