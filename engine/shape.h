// The extents of a tensor, row-major: the last axis is contiguous.
#ifndef LOCKSTEP_ENGINE_SHAPE_H_
#define LOCKSTEP_ENGINE_SHAPE_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <string>
#include <vector>

#include "absl/types/span.h"

namespace lockstep {

// A shape's extents: a fixed row of numbers that takes no memory of its own up
// to six axes, as every operation makes some.
class Extents {
 public:
  Extents() = default;
  template <class Iterator>
  Extents(Iterator begin, Iterator end) : size_(std::distance(begin, end)) {
    if (size_ > kFew) many_.resize(size_);
    std::copy(begin, end, size_ > kFew ? many_.data() : few_.data());
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const int64_t* data() const { return size_ > kFew ? many_.data() : few_.data(); }
  const int64_t* begin() const { return data(); }
  const int64_t* end() const { return data() + size_; }
  int64_t operator[](size_t i) const { return data()[i]; }
  int64_t front() const { return data()[0]; }
  int64_t back() const { return data()[size_ - 1]; }
  // To make another shape from; any allocator.
  template <class Allocator>
  operator std::vector<int64_t, Allocator>() const {  // NOLINT: meant to convert
    return {begin(), end()};
  }

  friend bool operator==(const Extents& a, const Extents& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  static constexpr size_t kFew = 6;

  size_t size_ = 0;
  std::array<int64_t, kFew> few_ = {};
  std::vector<int64_t> many_;
};

// A value type. No axes: a scalar of one element. An extent may be 0.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> extents) : extents_(extents.begin(), extents.end()) {}
  explicit Shape(absl::Span<const int64_t> extents) : extents_(extents.begin(), extents.end()) {}

  int rank() const { return static_cast<int>(extents_.size()); }
  // Extent of `axis`; a negative axis counts from the end (-1: the last).
  int64_t dim(int axis) const { return extents_[axis < 0 ? axis + rank() : axis]; }
  const Extents& extents() const { return extents_; }
  // Product of the extents; 1 for a scalar.
  int64_t element_count() const;
  // "[128, 784]"; "[]" for a scalar.
  std::string ToString() const;

  friend bool operator==(const Shape& a, const Shape& b) { return a.extents_ == b.extents_; }
  friend bool operator!=(const Shape& a, const Shape& b) { return !(a == b); }

 private:
  Extents extents_;
};

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_SHAPE_H_
