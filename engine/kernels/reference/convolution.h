// The definition of convolution.h, one element after another. With T = float
// the fast kernels are equal to it in every bit; with T = double it is what
// computes.
#ifndef LOCKSTEP_ENGINE_KERNELS_REFERENCE_CONVOLUTION_H_
#define LOCKSTEP_ENGINE_KERNELS_REFERENCE_CONVOLUTION_H_

#include <cmath>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/kernels/convolution_shape.h"
#include "engine/kernels/matmul.h"
#include "engine/kernels/reference/shard_tree.h"

namespace lockstep::kernels::reference {

// x at a row and column that may lie in the padding.
template <class T>
T AtOrZero(const T* plane, int64_t height, int64_t width, int64_t row, int64_t column) {
  const bool inside = row >= 0 && row < height && column >= 0 && column < width;
  return inside ? plane[row * width + column] : T(0);
}

template <class T>
void Convolution(const ConvolutionShape& s, const T* x, const T* weight, const T* bias,
                 Activation activation, T* y) {
  const int64_t group_in = s.GroupInChannels(), group_out = s.GroupOutChannels();
  for (int64_t n = 0; n < s.examples; ++n) {
    for (int64_t o = 0; o < s.out_channels; ++o) {
      for (int64_t row = 0; row < s.OutHeight(); ++row) {
        for (int64_t column = 0; column < s.OutWidth(); ++column) {
          T sum = T(0);
          const T* w = weight + o * group_in * s.KernelSize();
          for (int64_t i = 0; i < group_in; ++i) {
            const T* plane = x + (n * s.in_channels + o / group_out * group_in + i) * s.InPlane();
            for (int64_t r = 0; r < s.kernel_height; ++r) {
              for (int64_t c = 0; c < s.kernel_width; ++c) {
                const T value =
                    AtOrZero(plane, s.in_height, s.in_width,
                             row * s.stride_height - s.padding_height + r * s.dilation_height,
                             column * s.stride_width - s.padding_width + c * s.dilation_width);
                sum = std::fma(*w++, value, sum);
              }
            }
          }
          if (bias != nullptr) sum = sum + bias[o];
          if (activation == Activation::kRelu) sum = sum <= T(0) ? T(0) : sum;
          *y++ = sum;
        }
      }
    }
  }
}

template <class T>
void ConvolutionInputGradient(const ConvolutionShape& s, const T* dy, const T* weight, T* dx) {
  const int64_t group_in = s.GroupInChannels(), group_out = s.GroupOutChannels();
  const auto element = [&](int64_t n, int64_t i, int64_t row, int64_t column) {
    const int64_t group = i / group_in;
    T sum = T(0);
    for (int64_t o = group * group_out; o < (group + 1) * group_out; ++o) {
      const T* plane = dy + (n * s.out_channels + o) * s.OutPlane();
      const T* w = weight + (o * group_in + i % group_in) * s.KernelSize();
      for (int64_t r = 0; r < s.kernel_height; ++r) {
        for (int64_t c = 0; c < s.kernel_width; ++c) {
          const int64_t y = row + s.padding_height - r * s.dilation_height;
          const int64_t z = column + s.padding_width - c * s.dilation_width;
          if (y % s.stride_height != 0 || z % s.stride_width != 0) continue;
          const T value =
              AtOrZero(plane, s.OutHeight(), s.OutWidth(), y / s.stride_height, z / s.stride_width);
          sum = std::fma(w[r * s.kernel_width + c], value, sum);
        }
      }
    }
    return sum;
  };
  for (int64_t n = 0; n < s.examples; ++n) {
    for (int64_t i = 0; i < s.in_channels; ++i) {
      for (int64_t row = 0; row < s.in_height; ++row) {
        for (int64_t column = 0; column < s.in_width; ++column) {
          *dx++ = element(n, i, row, column);
        }
      }
    }
  }
}

template <class T>
void ConvolutionWeightGradient(const ConvolutionShape& s, absl::Span<const int64_t> cuts,
                               const T* x, const T* dy, T* dweight) {
  const int64_t group_in = s.GroupInChannels(), group_out = s.GroupOutChannels();
  const auto element = [&](int64_t first, int64_t end, int64_t o, int64_t i, int64_t r, int64_t c) {
    T sum = T(0);
    for (int64_t n = first; n < end; ++n) {
      const T* plane = x + (n * s.in_channels + o / group_out * group_in + i) * s.InPlane();
      const T* upstream = dy + (n * s.out_channels + o) * s.OutPlane();
      for (int64_t row = 0; row < s.OutHeight(); ++row) {
        for (int64_t column = 0; column < s.OutWidth(); ++column) {
          const T value =
              AtOrZero(plane, s.in_height, s.in_width,
                       row * s.stride_height - s.padding_height + r * s.dilation_height,
                       column * s.stride_width - s.padding_width + c * s.dilation_width);
          sum = std::fma(*upstream++, value, sum);
        }
      }
    }
    return sum;
  };
  const auto leaf = [&](int shard) {
    const int64_t first = cuts[shard], end = cuts[shard + 1];
    std::vector<T> sums;
    for (int64_t o = 0; o < s.out_channels; ++o) {
      for (int64_t i = 0; i < group_in; ++i) {
        for (int64_t r = 0; r < s.kernel_height; ++r) {
          for (int64_t c = 0; c < s.kernel_width; ++c) {
            sums.push_back(element(first, end, o, i, r, c));
          }
        }
      }
    }
    return sums;
  };
  const int shards = static_cast<int>(cuts.size()) - 1;
  for (const T value : TreeSum({0, shards}, leaf)) *dweight++ = value;
}

template <class T>
void ConvolutionBiasGradient(const ConvolutionShape& s, absl::Span<const int64_t> cuts, const T* dy,
                             T* dbias) {
  const auto plane_sum = [&](const T* plane) {
    T lanes[16] = {};
    for (int64_t i = 0; i < s.OutPlane(); ++i) lanes[i % 16] += plane[i];
    for (int width = 8; width > 0; width /= 2) {
      for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
    }
    return lanes[0];
  };
  const auto leaf = [&](int shard) {
    const int64_t first = cuts[shard], end = cuts[shard + 1];
    std::vector<T> sums(s.out_channels, T(0));
    for (int64_t n = first; n < end; ++n) {
      for (int64_t o = 0; o < s.out_channels; ++o) {
        sums[o] += plane_sum(dy + (n * s.out_channels + o) * s.OutPlane());
      }
    }
    return sums;
  };
  const int shards = static_cast<int>(cuts.size()) - 1;
  for (const T value : TreeSum({0, shards}, leaf)) *dbias++ = value;
}

}  // namespace lockstep::kernels::reference

#endif  // LOCKSTEP_ENGINE_KERNELS_REFERENCE_CONVOLUTION_H_
