#include "engine/nn/pooling.h"

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/kernels/pooling_shape.h"

namespace lockstep::nn {

using autograd::HeightWidth;
using autograd::PoolingOptions;
using autograd::Variable;

absl::StatusOr<Shape> PoolingLayer::OutputShape(const Shape& example_shape) const {
  if (example_shape.rank() != axes_ + 1) {
    return absl::InvalidArgumentError(absl::StrCat(name_, ": got an example of shape ",
                                                   example_shape.ToString(), ", want [channels, ",
                                                   axes_ == 1 ? "length]" : "height, width]"));
  }
  std::vector<int64_t> extents = {example_shape.dim(0)};
  for (int i = 2 - axes_; i < 2; ++i) {
    extents.push_back(Extent(i, example_shape.dim(i - 2)));
    if (extents.back() >= 1) continue;
    return absl::InvalidArgumentError(absl::StrCat(name_, ": got an example of shape ",
                                                   example_shape.ToString(),
                                                   ", want axes no smaller than the kernel"));
  }
  return Shape(std::move(extents));
}

std::string PoolingLayer::Text(const HeightWidth& pair) const {
  if (axes_ == 1 || pair[0] == pair[1]) return absl::StrCat(pair[1]);
  return absl::StrCat("(", pair[0], ", ", pair[1], ")");
}

WindowPoolingLayer::WindowPoolingLayer(const char* name, int axes, const PoolingOptions& options)
    : PoolingLayer(name, axes), options_(options) {
  for (int i = 0; i < 2; ++i) {
    LOCKSTEP_CHECK(options.kernel[i] >= 1 && options.stride[i] >= 1 && options.padding[i] >= 0 &&
                       2 * options.padding[i] <= options.kernel[i],
                   absl::StrCat(name, ": kernel ", options.kernel[i], ", stride ",
                                options.stride[i], ", padding ", options.padding[i]));
  }
}

int64_t WindowPoolingLayer::Extent(int axis, int64_t in) const {
  return kernels::PoolingAxis::Fixed(in, options_.kernel[axis], options_.stride[axis],
                                     options_.padding[axis])
      .out;
}

Variable MaxPool2d::Forward(const Variable& input) const {
  return autograd::MaxPool2d(input, options_);
}

std::string MaxPool2d::Describe() const {
  return absl::StrCat("MaxPool2d(kernel_size=", Text(options_.kernel),
                      ", stride=", Text(options_.stride), ", padding=", Text(options_.padding),
                      ", dilation=1, ceil_mode=False)");
}

Variable MaxPool1d::Forward(const Variable& input) const {
  return autograd::MaxPool1d(input, options_);
}

std::string MaxPool1d::Describe() const {
  return absl::StrCat("MaxPool1d(kernel_size=", Text(options_.kernel),
                      ", stride=", Text(options_.stride), ", padding=", Text(options_.padding),
                      ", dilation=1, ceil_mode=False)");
}

Variable AvgPool2d::Forward(const Variable& input) const {
  return autograd::AvgPool2d(input, options_);
}

std::string AvgPool2d::Describe() const {
  return absl::StrCat("AvgPool2d(kernel_size=", Text(options_.kernel),
                      ", stride=", Text(options_.stride), ", padding=", Text(options_.padding),
                      ")");
}

Variable AvgPool1d::Forward(const Variable& input) const {
  return autograd::AvgPool1d(input, options_);
}

std::string AvgPool1d::Describe() const {
  return absl::StrCat("AvgPool1d(kernel_size=(", Text(options_.kernel), ",), stride=(",
                      Text(options_.stride), ",), padding=(", Text(options_.padding), ",))");
}

AdaptiveAvgPool2d::AdaptiveAvgPool2d(const HeightWidth& output_size)
    : PoolingLayer("adaptive_avg_pool2d", 2), output_size_(output_size) {
  LOCKSTEP_CHECK(output_size[0] >= 1 && output_size[1] >= 1,
                 absl::StrCat("AdaptiveAvgPool2d of size ", Text(output_size)));
}

int64_t AdaptiveAvgPool2d::Extent(int axis, int64_t in) const {
  return in >= 1 ? output_size_[axis] : 0;
}

Variable AdaptiveAvgPool2d::Forward(const Variable& input) const {
  return autograd::AdaptiveAvgPool2d(input, output_size_);
}

std::string AdaptiveAvgPool2d::Describe() const {
  return absl::StrCat("AdaptiveAvgPool2d(output_size=", Text(output_size_), ")");
}

AdaptiveAvgPool1d::AdaptiveAvgPool1d(int64_t output_size)
    : PoolingLayer("adaptive_avg_pool1d", 1), output_size_(output_size) {
  LOCKSTEP_CHECK(output_size >= 1, absl::StrCat("AdaptiveAvgPool1d of size ", output_size));
}

int64_t AdaptiveAvgPool1d::Extent(int, int64_t in) const { return in >= 1 ? output_size_ : 0; }

Variable AdaptiveAvgPool1d::Forward(const Variable& input) const {
  return autograd::AdaptiveAvgPool1d(input, output_size_);
}

std::string AdaptiveAvgPool1d::Describe() const {
  return absl::StrCat("AdaptiveAvgPool1d(output_size=", output_size_, ")");
}

}  // namespace lockstep::nn
