#include "engine/tensor.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/block_pool.h"
#include "engine/check.h"

namespace lockstep {
namespace {

// Longer axes are printed as their first and last elements.
constexpr int64_t kPrintedEdge = 3;
constexpr int64_t kPrintedMost = 2 * kPrintedEdge + 1;

template <typename T>
constexpr DType DTypeOf() {
  if (std::is_same_v<T, float>) return DType::kFloat32;
  return std::is_same_v<T, double> ? DType::kFloat64 : DType::kInt64;
}

template <typename T>
Tensor FromValues(Shape shape, const std::vector<T>& values) {
  Tensor tensor = Tensor::Empty(std::move(shape), DTypeOf<T>());
  LOCKSTEP_CHECK_EQ(tensor.element_count(), static_cast<int64_t>(values.size()));
  std::copy(values.begin(), values.end(), tensor.data<T>());
  return tensor;
}

std::string ElementText(const Tensor& tensor, int64_t i) {
  if (tensor.dtype() == DType::kInt64) return absl::StrCat(tensor.data<int64_t>()[i]);
  if (tensor.dtype() == DType::kFloat64) return absl::StrFormat("%.12g", tensor.data<double>()[i]);
  return absl::StrFormat("%.6g", tensor.data<float>()[i]);
}

// Calls visit(T()) with the dtype's C++ type.
template <typename F>
void VisitAny(DType dtype, const F& visit) {
  if (dtype == DType::kFloat32) return visit(float());
  if (dtype == DType::kFloat64) return visit(double());
  visit(int64_t());
}

// Appends the part of `tensor` from `axis` on that begins at element `offset`.
void AppendPart(const Tensor& tensor, int axis, int64_t offset, std::string* text) {
  if (axis == tensor.rank()) {
    absl::StrAppend(text, ElementText(tensor, offset));
    return;
  }
  const int64_t extent = tensor.dim(axis);
  int64_t stride = 1;
  for (int i = axis + 1; i < tensor.rank(); ++i) stride *= tensor.dim(i);
  absl::StrAppend(text, "[");
  for (int64_t i = 0; i < extent; ++i) {
    if (i > 0) absl::StrAppend(text, ", ");
    if (extent > kPrintedMost && i == kPrintedEdge) {
      absl::StrAppend(text, "..., ");
      i = extent - kPrintedEdge;
    }
    AppendPart(tensor, axis + 1, offset + i * stride, text);
  }
  absl::StrAppend(text, "]");
}

}  // namespace

size_t ElementSize(DType dtype) { return dtype == DType::kFloat32 ? 4 : 8; }

const char* DTypeName(DType dtype) {
  if (dtype == DType::kFloat32) return "float32";
  return dtype == DType::kFloat64 ? "float64" : "int64";
}

void tensor_internal::FailNotFloating(const char* operation, DType dtype) {
  LOCKSTEP_CHECK(false,
                 absl::StrCat(operation, ": got ", DTypeName(dtype), ", want float32 or float64"));
  std::abort();
}

DType CommonDType(const char* operation, const Tensor& a, const Tensor& b) {
  LOCKSTEP_CHECK(a.dtype() == b.dtype(),
                 absl::StrCat(operation, ": got ", DTypeName(a.dtype()), " and ",
                              DTypeName(b.dtype()), ", want one dtype"));
  return a.dtype();
}

Tensor Tensor::Empty(Shape shape, DType dtype) {
  const size_t size_bytes = static_cast<size_t>(shape.element_count()) * ElementSize(dtype);
  return View(Storage::Allocate(size_bytes), 0, std::move(shape), dtype);
}

Tensor Tensor::Zeros(Shape shape, DType dtype) {
  Tensor tensor = Empty(std::move(shape), dtype);
  std::memset(tensor.storage_->data(), 0, tensor.storage_->size_bytes());
  return tensor;
}

Tensor Tensor::Full(Shape shape, double value, DType dtype) {
  Tensor tensor = Empty(std::move(shape), dtype);
  VisitAny(dtype, [&](auto zero) {
    using T = decltype(zero);
    std::fill_n(tensor.data<T>(), tensor.element_count(), static_cast<T>(value));
  });
  return tensor;
}

Tensor Tensor::Unallocated(Shape shape, DType dtype) {
  Tensor tensor;
  tensor.defined_ = true;
  tensor.element_count_ = shape.element_count();
  tensor.shape_ = std::move(shape);
  tensor.dtype_ = dtype;
  return tensor;
}

Tensor Tensor::FromVector(Shape shape, const std::vector<float>& values) {
  return FromValues(std::move(shape), values);
}

Tensor Tensor::FromVector(Shape shape, const std::vector<double>& values) {
  return FromValues(std::move(shape), values);
}

Tensor Tensor::FromVector(Shape shape, const std::vector<int64_t>& values) {
  return FromValues(std::move(shape), values);
}

Tensor Tensor::View(std::shared_ptr<Storage> storage, size_t offset_bytes, Shape shape,
                    DType dtype) {
  Tensor tensor;
  tensor.defined_ = true;
  tensor.element_count_ = shape.element_count();
  LOCKSTEP_CHECK_EQ(offset_bytes % ElementSize(dtype), 0u);
  const size_t size_bytes = static_cast<size_t>(tensor.element_count_) * ElementSize(dtype);
  LOCKSTEP_CHECK(
      offset_bytes <= storage->size_bytes() && size_bytes <= storage->size_bytes() - offset_bytes,
      absl::StrCat("a view of ", shape.ToString(), " from byte ", offset_bytes, " on storage of ",
                   storage->size_bytes(), " bytes"));
  tensor.storage_ = std::move(storage);
  tensor.offset_bytes_ = offset_bytes;
  tensor.shape_ = std::move(shape);
  tensor.dtype_ = dtype;
  return tensor;
}

template <typename T>
T* Tensor::data() {
  return const_cast<T*>(static_cast<const Tensor*>(this)->data<T>());
}

template <typename T>
const T* Tensor::data() const {
  LOCKSTEP_CHECK(allocated(), "a tensor without elements has no data");
  LOCKSTEP_CHECK(dtype_ == DTypeOf<T>(), "the tensor holds another type");
  return reinterpret_cast<const T*>(static_cast<const char*>(storage_->data()) + offset_bytes_);
}

template float* Tensor::data<float>();
template const float* Tensor::data<float>() const;
template double* Tensor::data<double>();
template const double* Tensor::data<double>() const;
template int64_t* Tensor::data<int64_t>();
template const int64_t* Tensor::data<int64_t>() const;

double Tensor::item() const {
  LOCKSTEP_CHECK(element_count_ == 1, "item() wants one element, got shape " + shape_.ToString());
  return dtype_ == DType::kFloat64 ? *data<double>() : *data<float>();
}

Tensor Tensor::Reshape(Shape shape) const {
  LOCKSTEP_CHECK(shape.element_count() == element_count_,
                 absl::StrCat("cannot reshape ", shape_.ToString(), " to ", shape.ToString()));
  Tensor result = *this;
  result.shape_ = std::move(shape);
  return result;
}

Tensor Tensor::Clone() const {
  Tensor copy = Empty(shape_, dtype_);
  std::memcpy(copy.storage_->data(), static_cast<const char*>(storage_->data()) + offset_bytes_,
              static_cast<size_t>(element_count_) * ElementSize(dtype_));
  return copy;
}

Tensor Tensor::To(DType dtype) const {
  if (dtype == dtype_) return *this;
  Tensor result = Empty(shape_, dtype);
  VisitAny(dtype_, [&](auto from_zero) {
    using From = decltype(from_zero);
    VisitAny(dtype, [&](auto to_zero) {
      using To = decltype(to_zero);
      std::transform(data<From>(), data<From>() + element_count_, result.data<To>(),
                     [](From value) { return static_cast<To>(value); });
    });
  });
  return result;
}

Tensor Tensor::Rows(int64_t begin, int64_t end) const {
  LOCKSTEP_CHECK(rank() >= 1 && 0 <= begin && begin <= end && end <= dim(0),
                 absl::StrCat("rows ", begin, " to ", end, " of shape ", shape_.ToString()));
  PooledVector<int64_t> extents = shape_.extents();
  extents[0] = 1;
  const int64_t row_elements = Shape(extents).element_count();
  extents[0] = end - begin;
  return View(storage_, offset_bytes_ + begin * row_elements * ElementSize(dtype_),
              Shape(std::move(extents)), dtype_);
}

std::string Tensor::ToString() const {
  if (!defined()) return "tensor(undefined)";
  if (!allocated()) return absl::StrCat("tensor(unallocated ", shape_.ToString(), ")");
  std::string text = "tensor(";
  AppendPart(*this, 0, 0, &text);
  absl::StrAppend(&text, ")");
  return text;
}

}  // namespace lockstep
