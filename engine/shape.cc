#include "engine/shape.h"

namespace lockstep {

int64_t Shape::element_count() const {
  int64_t count = 1;
  for (int64_t extent : extents_) count *= extent;
  return count;
}

std::string Shape::ToString() const {
  std::string text = "[";
  for (size_t i = 0; i < extents_.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(extents_[i]);
  }
  return text + "]";
}

}  // namespace lockstep
