// Convolutions and pooling.
#include <google/protobuf/repeated_field.h>

#include "absl/strings/str_join.h"
#include "engine/model/layer_kinds.h"
#include "engine/nn/convolution.h"
#include "engine/nn/pooling.h"

namespace lockstep {
namespace {

using MadeLayer = absl::StatusOr<std::shared_ptr<nn::Module>>;
using Numbers = google::protobuf::RepeatedField<uint32_t>;

// [a, b] for height and width, a for both.
autograd::HeightWidth Pair(const Numbers& numbers) {
  return {numbers[0], numbers[numbers.size() - 1]};
}

// That the input has channels and so many axes, and that the channels are cut evenly.
absl::Status CheckConvolution(const LayerRequest& request, int axes, int64_t out_channels,
                              int64_t groups) {
  const Shape& input = request.input.shape;
  if (input.rank() != axes + 1) {
    const std::string wanted = axes == 1 ? "[channels, length]" : "[channels, height, width]";
    std::string message =
        absl::StrCat("got an example of shape ", input.ToString(), ", want ", wanted);
    if (input.rank() == axes) {
      absl::StrAppend(&message, "; put reshape: {shape: [1, ", absl::StrJoin(input.extents(), ", "),
                      "]} before it");
    }
    return request.Error("", message);
  }
  for (int64_t channels : {input.dim(0), out_channels}) {
    if (channels % groups == 0) continue;
    return request.Error(
        "groups", absl::StrCat("got ", groups, ", want a divisor of the ", channels, " channels"));
  }
  return absl::OkStatus();
}

MadeLayer MakeConv1d(const LayerRequest& request) {
  const v1::Conv1d& conv = request.layer.conv1d();
  absl::Status status = CheckConvolution(request, 1, conv.out_channels(), conv.groups());
  if (!status.ok()) return status;
  const int64_t in = request.input.shape.dim(0);
  status = request.CheckParameter({conv.out_channels(), in / conv.groups(), conv.kernel_size()});
  if (!status.ok()) return status;
  request.SetWidth("out_channels");
  return std::make_shared<nn::Conv1d>(in, conv.out_channels(), conv.kernel_size(), conv.stride(),
                                      conv.padding(), conv.dilation(), conv.groups(), conv.bias());
}

MadeLayer MakeConv2d(const LayerRequest& request) {
  const v1::Conv2d& conv = request.layer.conv2d();
  absl::Status status = CheckConvolution(request, 2, conv.out_channels(), conv.groups());
  if (!status.ok()) return status;
  const int64_t in = request.input.shape.dim(0);
  const autograd::HeightWidth kernel = Pair(conv.kernel_size());
  status = request.CheckParameter({conv.out_channels(), in / conv.groups(), kernel[0], kernel[1]});
  if (!status.ok()) return status;
  request.SetWidth("out_channels");
  autograd::ConvolutionOptions options;
  options.stride = Pair(conv.stride());
  options.padding = Pair(conv.padding());
  options.dilation = Pair(conv.dilation());
  options.groups = conv.groups();
  return std::make_shared<nn::Conv2d>(in, conv.out_channels(), kernel, options, conv.bias());
}

// ---- Pooling.

// How many of the input's axes are pooled: 1 or 2.
absl::StatusOr<int> PooledAxes(const LayerRequest& request) {
  const Shape& input = request.input.shape;
  if (input.rank() == 2 || input.rank() == 3) return input.rank() - 1;
  return request.Error("", absl::StrCat("got an example of shape ", input.ToString(),
                                        ", want [channels, length] or [channels, height, width]"));
}

absl::Status CheckOneNumber(const LayerRequest& request, const char* field,
                            const Numbers& numbers) {
  if (numbers.size() <= 1) return absl::OkStatus();
  return request.Error(field, absl::StrCat("got ", numbers.size(), " numbers, want 1 for examples ",
                                           request.input.shape.ToString()));
}

// Of max_pool or avg_pool. One axis: its numbers are the columns'.
template <typename Pool>
absl::StatusOr<autograd::PoolingOptions> WindowOf(const LayerRequest& request, const Pool& pool,
                                                  int axes) {
  const Numbers& stride = pool.stride().empty() ? pool.kernel_size() : pool.stride();
  for (const auto& [field, numbers] :
       {std::pair("kernel_size", &pool.kernel_size()), std::pair("stride", &stride),
        std::pair("padding", &pool.padding())}) {
    const absl::Status status =
        axes == 1 ? CheckOneNumber(request, field, *numbers) : absl::OkStatus();
    if (!status.ok()) return status;
  }
  const autograd::PoolingOptions window = {Pair(pool.kernel_size()), Pair(stride),
                                           Pair(pool.padding())};
  for (int axis = 0; axis < 2; ++axis) {
    if (window.padding[axis] <= window.kernel[axis] / 2) continue;
    return request.Error("padding", absl::StrCat("got ", window.padding[axis], ", want at most ",
                                                 window.kernel[axis] / 2, ", half of kernel_size ",
                                                 window.kernel[axis]));
  }
  return window;
}

MadeLayer MakeMaxPool(const LayerRequest& request) {
  const absl::StatusOr<int> axes = PooledAxes(request);
  if (!axes.ok()) return axes.status();
  const auto window = WindowOf(request, request.layer.max_pool(), *axes);
  if (!window.ok()) return window.status();
  if (*axes == 2) return std::make_shared<nn::MaxPool2d>(*window);
  return std::make_shared<nn::MaxPool1d>(window->kernel[1], window->stride[1], window->padding[1]);
}

MadeLayer MakeAvgPool(const LayerRequest& request) {
  const absl::StatusOr<int> axes = PooledAxes(request);
  if (!axes.ok()) return axes.status();
  auto window = WindowOf(request, request.layer.avg_pool(), *axes);
  if (!window.ok()) return window.status();
  window->count_padding = request.layer.avg_pool().count_padding();
  if (*axes == 2) return std::make_shared<nn::AvgPool2d>(*window);
  return std::make_shared<nn::AvgPool1d>(window->kernel[1], window->stride[1], window->padding[1],
                                         window->count_padding);
}

MadeLayer MakeAdaptiveAvgPool(const LayerRequest& request) {
  const absl::StatusOr<int> axes = PooledAxes(request);
  if (!axes.ok()) return axes.status();
  const Numbers& size = request.layer.adaptive_avg_pool().output_size();
  if (*axes == 2) return std::make_shared<nn::AdaptiveAvgPool2d>(Pair(size));
  const absl::Status status = CheckOneNumber(request, "output_size", size);
  if (!status.ok()) return status;
  return std::make_shared<nn::AdaptiveAvgPool1d>(size[0]);
}

}  // namespace

absl::Span<const LayerKind> ConvolutionLayers() {
  static constexpr LayerKind kKinds[] = {
      {v1::LayerChoice::kConv1D, MakeConv1d},
      {v1::LayerChoice::kConv2D, MakeConv2d},
      {v1::LayerChoice::kMaxPool, MakeMaxPool},
      {v1::LayerChoice::kAvgPool, MakeAvgPool},
      {v1::LayerChoice::kAdaptiveAvgPool, MakeAdaptiveAvgPool},
  };
  return kKinds;
}

}  // namespace lockstep
