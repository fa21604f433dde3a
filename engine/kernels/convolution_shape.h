// The extents of a two-dimensional convolution.
#ifndef LOCKSTEP_ENGINE_KERNELS_CONVOLUTION_SHAPE_H_
#define LOCKSTEP_ENGINE_KERNELS_CONVOLUTION_SHAPE_H_

#include <cstdint>

namespace lockstep::kernels {

// Elements of one output axis; 0 or less where the kernel does not fit.
inline int64_t ConvolutionExtent(int64_t in, int64_t kernel, int64_t stride, int64_t padding,
                                 int64_t dilation) {
  const int64_t room = in + 2 * padding - dilation * (kernel - 1) - 1;
  return room < 0 ? 0 : room / stride + 1;
}

// Requires: kernel, stride, dilation and groups >= 1; padding >= 0; both
// channel counts multiples of groups; OutHeight() and OutWidth() >= 1.
struct ConvolutionShape {
  int64_t examples = 0;
  int64_t in_channels = 1;
  int64_t in_height = 1;
  int64_t in_width = 1;
  int64_t out_channels = 1;
  int64_t kernel_height = 1;
  int64_t kernel_width = 1;
  int64_t stride_height = 1;
  int64_t stride_width = 1;
  int64_t padding_height = 0;
  int64_t padding_width = 0;
  int64_t dilation_height = 1;
  int64_t dilation_width = 1;
  int64_t groups = 1;

  int64_t OutHeight() const {
    return ConvolutionExtent(in_height, kernel_height, stride_height, padding_height,
                             dilation_height);
  }
  int64_t OutWidth() const {
    return ConvolutionExtent(in_width, kernel_width, stride_width, padding_width, dilation_width);
  }
  int64_t GroupInChannels() const { return in_channels / groups; }
  int64_t GroupOutChannels() const { return out_channels / groups; }
  int64_t KernelSize() const { return kernel_height * kernel_width; }
  int64_t InPlane() const { return in_height * in_width; }
  int64_t OutPlane() const { return OutHeight() * OutWidth(); }
  int64_t WeightCount() const { return out_channels * GroupInChannels() * KernelSize(); }
};

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_CONVOLUTION_SHAPE_H_
