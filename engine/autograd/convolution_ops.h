// Convolutions with gradients.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_CONVOLUTION_OPS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_CONVOLUTION_OPS_H_

#include <array>
#include <cstdint>

#include "engine/autograd/variable.h"
#include "engine/kernels/matmul.h"

namespace lockstep::autograd {

// Rows (height), then columns (width).
using HeightWidth = std::array<int64_t, 2>;

// Requires: stride, dilation and groups >= 1, padding >= 0.
struct ConvolutionOptions {
  HeightWidth stride = {1, 1};
  HeightWidth padding = {0, 0};
  HeightWidth dilation = {1, 1};
  int64_t groups = 1;
};

// activation(x * weight + bias), as torch.nn.functional.conv2d.
// Shapes: x [n, in, height, width], weight [out, in / groups, kernel height,
// kernel width], bias [out] or undefined, result [n, out, rows, columns].
// Aborts, naming the shapes, where they do not fit.
// Order: kernels::Convolution; the gradients of weight and bias follow the
// shard tree over the examples (ShardCuts). The fused relu gives the bits of Relu.
Variable Conv2d(const Variable& x, const Variable& weight, const Variable& bias,
                const ConvolutionOptions& options = {},
                kernels::Activation activation = kernels::Activation::kNone);

// As torch.nn.functional.conv1d: x [n, in, length], weight [out, in / groups,
// kernel]. It is Conv2d on one row; the options' columns count.
Variable Conv1d(const Variable& x, const Variable& weight, const Variable& bias,
                const ConvolutionOptions& options = {},
                kernels::Activation activation = kernels::Activation::kNone);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_CONVOLUTION_OPS_H_
