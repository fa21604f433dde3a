#include "engine/autograd/shape_ops.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/autograd/node.h"
#include "engine/check.h"

namespace lockstep::autograd {
namespace {

int CheckedAxis(const char* operation, const Shape& shape, int axis) {
  LOCKSTEP_CHECK(axis >= -shape.rank() && axis < shape.rank(),
                 absl::StrCat(operation, ": shape ", shape.ToString(), " has no axis ", axis));
  return axis < 0 ? axis + shape.rank() : axis;
}

// Elements from one index of each axis to the next, row-major.
std::vector<int64_t> Strides(const Shape& shape) {
  std::vector<int64_t> strides(shape.rank(), 1);
  for (int i = shape.rank() - 2; i >= 0; --i) strides[i] = strides[i + 1] * shape.dim(i + 1);
  return strides;
}

// to's element at an index is from's at the sum of index times stride.
template <class T>
void GatherInto(const T* from, const Shape& shape, const std::vector<int64_t>& strides, T* to) {
  const int64_t count = shape.element_count();
  const int last = shape.rank() - 1;
  const int64_t run = last < 0 ? 1 : shape.dim(last);
  const int64_t run_stride = last < 0 ? 0 : strides[last];
  std::vector<int64_t> index(shape.rank(), 0);
  int64_t offset = 0;
  for (int64_t done = 0; done < count; done += run) {
    for (int64_t i = 0; i < run; ++i) to[done + i] = from[offset + i * run_stride];
    for (int axis = last - 1; axis >= 0; --axis) {
      offset += strides[axis];
      if (++index[axis] < shape.dim(axis)) break;
      offset -= strides[axis] * shape.dim(axis);
      index[axis] = 0;
    }
  }
}

// A new tensor of `shape` whose element at an index is the one of `x` at the
// sum of index times stride.
Tensor Gather(const Tensor& x, const Shape& shape, const std::vector<int64_t>& strides) {
  Tensor result = Tensor::Empty(shape, x.dtype());
  if (result.element_count() == 0) return result;
  VisitFloating("shape", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    GatherInto(x.data<T>(), shape, strides, result.data<T>());
  });
  return result;
}

Shape Completed(const Shape& from, const Shape& to) {
  std::vector<int64_t> extents = to.extents();
  const auto open = std::find(extents.begin(), extents.end(), -1);
  if (open == extents.end()) return to;
  *open = 1;
  const int64_t rest = Shape(extents).element_count();
  *open = rest == 0 ? 0 : from.element_count() / rest;
  return Shape(std::move(extents));
}

}  // namespace

Variable Reshape(const Variable& x, const Shape& shape) {
  const Shape before = x.shape();
  return MakeResult(
      "reshape", x.value().Reshape(Completed(before, shape)), {x},
      WithGraph([before](const Tensor& upstream,
                         InputGradients& gradients) { gradients.Add(0, upstream.Reshape(before)); },
                [before](const Variable& upstream, GraphGradients& gradients) {
                  gradients.Add(0, Reshape(upstream, before));
                }));
}

Variable Flatten(const Variable& x) {
  LOCKSTEP_CHECK(x.rank() >= 1, "flatten: got a scalar, want [n, ...]");
  std::vector<int64_t> example(x.shape().extents().begin() + 1, x.shape().extents().end());
  return Reshape(x, Shape{x.dim(0), Shape(std::move(example)).element_count()});
}

Tensor TransposeTensor(const Tensor& x, int axis_a, int axis_b) {
  std::vector<int64_t> extents = x.shape().extents();
  std::vector<int64_t> strides = Strides(x.shape());
  std::swap(extents[axis_a], extents[axis_b]);
  std::swap(strides[axis_a], strides[axis_b]);
  return Gather(x, Shape(std::move(extents)), strides);
}

Variable Transpose(const Variable& x, int axis_a, int axis_b) {
  const int a = CheckedAxis("transpose", x.shape(), axis_a);
  const int b = CheckedAxis("transpose", x.shape(), axis_b);
  return MakeResult("transpose", TransposeTensor(x.value(), a, b), {x},
                    WithGraph(
                        [a, b](const Tensor& upstream, InputGradients& gradients) {
                          gradients.Add(0, TransposeTensor(upstream, a, b));
                        },
                        [a, b](const Variable& upstream, GraphGradients& gradients) {
                          gradients.Add(0, Transpose(upstream, a, b));
                        }));
}

Variable Transpose(const Variable& x) {
  LOCKSTEP_CHECK(x.rank() == 2,
                 absl::StrCat("transpose: got shape ", x.shape().ToString(), ", want a matrix"));
  return Transpose(x, 0, 1);
}

Shape BroadcastShapes(const char* operation, const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  std::vector<int64_t> extents(rank);
  for (int i = 1; i <= rank; ++i) {
    const int64_t from_a = i <= a.rank() ? a.dim(-i) : 1;
    const int64_t from_b = i <= b.rank() ? b.dim(-i) : 1;
    LOCKSTEP_CHECK(from_a == from_b || from_a == 1 || from_b == 1,
                   absl::StrCat(operation, ": shapes ", a.ToString(), " and ", b.ToString(),
                                " do not broadcast"));
    extents[rank - i] = from_a == 1 ? from_b : from_a;
  }
  return Shape(std::move(extents));
}

Tensor ExpandTensor(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  LOCKSTEP_CHECK(BroadcastShapes("expand", x.shape(), shape) == shape,
                 absl::StrCat("expand: shape ", x.shape().ToString(), " does not broadcast to ",
                              shape.ToString()));
  const std::vector<int64_t> own = Strides(x.shape());
  std::vector<int64_t> strides(shape.rank(), 0);
  for (int i = 1; i <= x.rank(); ++i) {
    if (x.dim(-i) != 1) strides[shape.rank() - i] = own[x.rank() - i];
  }
  return Gather(x, shape, strides);
}

}  // namespace lockstep::autograd
