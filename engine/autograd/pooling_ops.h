// Pooling with gradients.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_POOLING_OPS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_POOLING_OPS_H_

#include "engine/autograd/convolution_ops.h"
#include "engine/autograd/variable.h"

namespace lockstep::autograd {

// Requires: kernel and stride >= 1, 0 <= padding <= kernel / 2.
struct PoolingOptions {
  HeightWidth kernel = {1, 1};
  HeightWidth stride = {1, 1};
  HeightWidth padding = {0, 0};
  // Averages: count the padding as zeros (as torch's count_include_pad).
  bool count_padding = true;
};

// Shapes: x [n, channels, height, width], result [n, channels, rows, columns].
// For all: aborts, naming the shape, where they do not fit. Order:
// kernels/pooling.h.

// As torch.nn.functional.max_pool2d: NaN is greater than all; the gradient goes
// to the first of equal ones.
Variable MaxPool2d(const Variable& x, const PoolingOptions& options);
// As torch.nn.functional.avg_pool2d.
Variable AvgPool2d(const Variable& x, const PoolingOptions& options);
// As torch.nn.functional.adaptive_avg_pool2d and adaptive_max_pool2d.
Variable AdaptiveAvgPool2d(const Variable& x, const HeightWidth& output_size);
Variable AdaptiveMaxPool2d(const Variable& x, const HeightWidth& output_size);

// The same on x [n, channels, length]; the options' columns count.
Variable MaxPool1d(const Variable& x, const PoolingOptions& options);
Variable AvgPool1d(const Variable& x, const PoolingOptions& options);
Variable AdaptiveAvgPool1d(const Variable& x, int64_t output_size);
Variable AdaptiveMaxPool1d(const Variable& x, int64_t output_size);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_POOLING_OPS_H_
