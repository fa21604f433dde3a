// The extents of a tensor, row-major: the last axis is contiguous.
#ifndef LOCKSTEP_ENGINE_SHAPE_H_
#define LOCKSTEP_ENGINE_SHAPE_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace lockstep {

// A value type. No axes: a scalar of one element. An extent may be 0.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> extents) : extents_(extents) {}
  explicit Shape(std::vector<int64_t> extents) : extents_(std::move(extents)) {}

  int rank() const { return static_cast<int>(extents_.size()); }
  // Extent of `axis`; a negative axis counts from the end (-1: the last).
  int64_t dim(int axis) const { return extents_[axis < 0 ? axis + rank() : axis]; }
  const std::vector<int64_t>& extents() const { return extents_; }
  // Product of the extents; 1 for a scalar.
  int64_t element_count() const;
  // "[128, 784]"; "[]" for a scalar.
  std::string ToString() const;

  friend bool operator==(const Shape& a, const Shape& b) { return a.extents_ == b.extents_; }
  friend bool operator!=(const Shape& a, const Shape& b) { return !(a == b); }

 private:
  std::vector<int64_t> extents_;
};

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_SHAPE_H_
