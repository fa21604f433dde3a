#include "engine/nn/convolution.h"

#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/kernels/convolution_shape.h"
#include "engine/nn/initializers.h"

namespace lockstep::nn {

using autograd::ConvolutionOptions;
using autograd::HeightWidth;
using autograd::Variable;

ConvolutionLayer::ConvolutionLayer(int axes, int64_t in_channels, int64_t out_channels,
                                   const HeightWidth& kernel, const ConvolutionOptions& options,
                                   bool bias)
    : axes_(axes),
      in_channels_(in_channels),
      out_channels_(out_channels),
      kernel_(kernel),
      options_(options) {
  const int64_t groups = options.groups;
  LOCKSTEP_CHECK(groups >= 1 && in_channels >= 1 && out_channels >= 1 &&
                     in_channels % groups == 0 && out_channels % groups == 0,
                 absl::StrCat("convolution of ", in_channels, " to ", out_channels, " channels in ",
                              groups, " groups"));
  for (int i = 0; i < 2; ++i) {
    LOCKSTEP_CHECK(kernel[i] >= 1 && options.stride[i] >= 1 && options.dilation[i] >= 1 &&
                       options.padding[i] >= 0,
                   "convolution: kernel, stride and dilation must be at least 1, padding at "
                   "least 0");
  }
  std::vector<int64_t> weight = {out_channels, in_channels / groups};
  weight.insert(weight.end(), kernel.end() - axes, kernel.end());
  weight_ = MakeParameter(Shape(std::move(weight)));
  if (bias) bias_ = MakeParameter({out_channels});
}

Variable ConvolutionLayer::Compute(const Variable& input, kernels::Activation activation) const {
  if (axes_ == 1) return autograd::Conv1d(input, weight_, bias_, options_, activation);
  return autograd::Conv2d(input, weight_, bias_, options_, activation);
}

Variable ConvolutionLayer::Forward(const Variable& input) const {
  return Compute(input, kernels::Activation::kNone);
}

Variable ConvolutionLayer::ForwardRelu(const Variable& input) const {
  return Compute(input, kernels::Activation::kRelu);
}

absl::StatusOr<Shape> ConvolutionLayer::OutputShape(const Shape& example_shape) const {
  const char* const axes = axes_ == 1 ? "length" : "height, width";
  if (example_shape.rank() != axes_ + 1 || example_shape.dim(0) != in_channels_) {
    return absl::InvalidArgumentError(absl::StrCat("conv", axes_, "d: got an example of shape ",
                                                   example_shape.ToString(), ", want [",
                                                   in_channels_, ", ", axes, "]"));
  }
  std::vector<int64_t> extents = {out_channels_};
  for (int i = 2 - axes_; i < 2; ++i) {
    const int64_t in = example_shape.dim(i - 2);
    extents.push_back(kernels::ConvolutionExtent(in, kernel_[i], options_.stride[i],
                                                 options_.padding[i], options_.dilation[i]));
    if (extents.back() >= 1) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "conv", axes_, "d: got an example of shape ", example_shape.ToString(), ", want at least ",
        options_.dilation[i] * (kernel_[i] - 1) + 1 - 2 * options_.padding[i],
        " elements on the axis of the kernel's ", kernel_[i]));
  }
  return Shape(std::move(extents));
}

std::vector<NamedParameter> ConvolutionLayer::NamedParameters() const {
  std::vector<NamedParameter> parameters = {{"weight", weight_}};
  if (bias_.defined()) parameters.push_back({"bias", bias_});
  return parameters;
}

void ConvolutionLayer::Initialize(uint64_t key, uint64_t first_parameter) {
  const int64_t fan_in = in_channels_ / options_.groups * kernel_[0] * kernel_[1];
  const float bound = 1.0f / std::sqrt(static_cast<float>(fan_in));
  InitializeUniform({key, first_parameter}, bound, weight_);
  if (bias_.defined()) InitializeUniform({key, first_parameter + 1}, bound, bias_);
}

std::string ConvolutionLayer::Text(const HeightWidth& pair) const {
  return axes_ == 1 ? absl::StrCat("(", pair[1], ",)")
                    : absl::StrCat("(", pair[0], ", ", pair[1], ")");
}

std::string ConvolutionLayer::Describe() const {
  std::string text =
      absl::StrCat("Conv", axes_, "d(", in_channels_, ", ", out_channels_,
                   ", kernel_size=", Text(kernel_), ", stride=", Text(options_.stride));
  if (options_.padding != HeightWidth{0, 0}) {
    absl::StrAppend(&text, ", padding=", Text(options_.padding));
  }
  if (options_.dilation != HeightWidth{1, 1}) {
    absl::StrAppend(&text, ", dilation=", Text(options_.dilation));
  }
  if (options_.groups != 1) absl::StrAppend(&text, ", groups=", options_.groups);
  if (!bias_.defined()) text += ", bias=False";
  return text + ")";
}

}  // namespace lockstep::nn
