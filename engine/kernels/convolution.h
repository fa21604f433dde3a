// Two-dimensional convolution (cross-correlation, as in neural networks) and
// its gradients in canonical arithmetic (docs/arithmetic.md). One-dimensional:
// height 1.
//
// Shapes: x [examples, in_channels, in_height, in_width]; weight [out_channels,
// in_channels / groups, kernel_height, kernel_width]; y and dy [examples,
// out_channels, OutHeight(), OutWidth()]. Group g's output channels see group
// g's input channels.
//
// Padding takes part in every chain as the value +0: fma(w, +0, acc). (It turns
// a sum of -0 into +0, and an infinite weight into NaN.)
// Threads: any thread; splits its work over OpenMP's. No result overlaps an
// operand.
#ifndef LOCKSTEP_ENGINE_KERNELS_CONVOLUTION_H_
#define LOCKSTEP_ENGINE_KERNELS_CONVOLUTION_H_

#include <cstdint>

#include "absl/types/span.h"
#include "engine/kernels/convolution_shape.h"
#include "engine/kernels/matmul.h"

namespace lockstep::kernels {

// y = activation(x * weight + bias[out_channel]); bias may be null.
// Order, for each element: acc = +0; for in-channel, kernel row, kernel column
// ascending: acc = fma(weight, x, acc); then + bias; then the activation.
void Convolution(const ConvolutionShape& shape, const float* x, const float* weight,
                 const float* bias, Activation activation, float* y);

// dx. Order, for each element: acc = +0; for out-channel, kernel row, kernel
// column ascending: acc = fma(weight, dy, acc), with dy's row (row + padding -
// kernel row * dilation) / stride, column likewise. A kernel row or column for
// which this is no whole number is left out; one outside of dy is +0.
void ConvolutionInputGradient(const ConvolutionShape& shape, const float* dy, const float* weight,
                              float* dx);

// dweight = the shard tree (engine/shard_tree.h) over the gradients of the
// examples [cuts[i], cuts[i+1]). Order within a shard, for each element: acc =
// +0; for example, out row, out column ascending: acc = fma(dy, x, acc); then
// the tree's additions. Cuts: as MatmulShardTree, cuts.back() = examples.
void ConvolutionWeightGradient(const ConvolutionShape& shape, absl::Span<const int64_t> cuts,
                               const float* x, const float* dy, float* dweight);

// dbias[out_channel] = the shard tree over the sums of dy. Order within a
// shard: each example's plane as SumRows (reduce.h); one chain of additions
// over the examples ascending, from +0.
void ConvolutionBiasGradient(const ConvolutionShape& shape, absl::Span<const int64_t> cuts,
                             const float* dy, float* dbias);

// The same in float64, by plain loops.
void Convolution(const ConvolutionShape& shape, const double* x, const double* weight,
                 const double* bias, Activation activation, double* y);
void ConvolutionInputGradient(const ConvolutionShape& shape, const double* dy, const double* weight,
                              double* dx);
void ConvolutionWeightGradient(const ConvolutionShape& shape, absl::Span<const int64_t> cuts,
                               const double* x, const double* dy, double* dweight);
void ConvolutionBiasGradient(const ConvolutionShape& shape, absl::Span<const int64_t> cuts,
                             const double* dy, double* dbias);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_CONVOLUTION_H_
