// An n-dimensional array of numbers: contiguous, row-major, shared. It knows
// nothing of gradients; engine/autograd/variable.h adds them.
#ifndef LOCKSTEP_ENGINE_TENSOR_H_
#define LOCKSTEP_ENGINE_TENSOR_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "engine/shape.h"
#include "engine/storage.h"

namespace lockstep {

// float32: training. float64: gradient checks and reference computations, by
// plain kernels. int64: indices and labels, never with gradients.
enum class DType { kFloat32, kFloat64, kInt64 };

// Bytes of one element.
size_t ElementSize(DType dtype);

// "float32".
const char* DTypeName(DType dtype);

// Calls visit(T()) with the dtype's C++ type, float or double: how an operation
// picks its kernel's overload. Aborts for int64, naming the `operation`.
template <typename F>
decltype(auto) VisitFloating(const char* operation, DType dtype, F&& visit);

class Tensor;

// The dtype of both operands of `operation`. Aborts, naming both, where they differ.
DType CommonDType(const char* operation, const Tensor& a, const Tensor& b);

// A handle: copies share the elements. A default-constructed tensor is
// undefined: only `defined()` may be asked of it.
class Tensor {
 public:
  Tensor() = default;

  // Uninitialised elements.
  static Tensor Empty(Shape shape, DType dtype = DType::kFloat32);
  static Tensor Zeros(Shape shape, DType dtype = DType::kFloat32);
  static Tensor Full(Shape shape, double value, DType dtype = DType::kFloat32);
  // A shape without elements: what a model is planned with before anybody pays
  // for its memory. defined(), but not allocated().
  static Tensor Unallocated(Shape shape, DType dtype = DType::kFloat32);
  // Requires: as many values as the shape has elements.
  static Tensor FromVector(Shape shape, const std::vector<float>& values);
  static Tensor FromVector(Shape shape, const std::vector<double>& values);
  static Tensor FromVector(Shape shape, const std::vector<int64_t>& values);
  static Tensor Scalar(double value, DType dtype = DType::kFloat32) {
    return Full(Shape{}, value, dtype);
  }
  // A tensor of `shape` over the elements of `storage` from byte `offset_bytes`,
  // a multiple of the element size. Requires: they lie within the storage.
  static Tensor View(std::shared_ptr<Storage> storage, size_t offset_bytes, Shape shape,
                     DType dtype = DType::kFloat32);

  bool defined() const { return defined_; }
  // Whether it has elements in memory; false after Unallocated.
  bool allocated() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  int rank() const { return shape_.rank(); }
  int64_t dim(int axis) const { return shape_.dim(axis); }
  DType dtype() const { return dtype_; }
  int64_t element_count() const { return element_count_; }

  // Requires: allocated(); T is the dtype's type (float, double, int64_t).
  template <typename T>
  T* data();
  template <typename T>
  const T* data() const;
  template <typename T>
  absl::Span<T> span() {
    return absl::MakeSpan(data<T>(), element_count_);
  }
  template <typename T>
  absl::Span<const T> span() const {
    return absl::MakeConstSpan(data<T>(), element_count_);
  }
  // Requires: one element, float32 or float64.
  double item() const;

  // The same elements under another shape. Requires: the same element count.
  Tensor Reshape(Shape shape) const;
  // A copy with storage of its own.
  Tensor Clone() const;
  // The elements converted; the tensor itself where it has this dtype. To
  // float32 rounds once, to int64 cuts the fraction off.
  Tensor To(DType dtype) const;
  // Rows [begin, end) of the first axis, sharing the elements.
  Tensor Rows(int64_t begin, int64_t end) const;
  // Whether both begin at the same element of the same storage.
  bool SharesElementsWith(const Tensor& other) const {
    return storage_ == other.storage_ && offset_bytes_ == other.offset_bytes_;
  }
  const std::shared_ptr<Storage>& storage() const { return storage_; }

  // "tensor([[1, 2], [3, 4]])"; long axes are shortened by "...".
  std::string ToString() const;

 private:
  std::shared_ptr<Storage> storage_;
  size_t offset_bytes_ = 0;
  Shape shape_;
  int64_t element_count_ = 0;
  DType dtype_ = DType::kFloat32;
  bool defined_ = false;
};

namespace tensor_internal {
[[noreturn]] void FailNotFloating(const char* operation, DType dtype);
}  // namespace tensor_internal

template <typename F>
decltype(auto) VisitFloating(const char* operation, DType dtype, F&& visit) {
  if (dtype == DType::kFloat32) return visit(float());
  if (dtype == DType::kFloat64) return visit(double());
  tensor_internal::FailNotFloating(operation, dtype);
}

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_TENSOR_H_
