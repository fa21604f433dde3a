// Convolutions over one or two axes, as torch.nn.Conv1d and torch.nn.Conv2d.
#ifndef LOCKSTEP_ENGINE_NN_CONVOLUTION_H_
#define LOCKSTEP_ENGINE_NN_CONVOLUTION_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/autograd/convolution_ops.h"
#include "engine/nn/module.h"

namespace lockstep::nn {

// What Conv1d and Conv2d have in common.
class ConvolutionLayer : public Module {
 public:
  autograd::Variable Forward(const autograd::Variable& input) const override;
  // The same, then relu in the same pass: the same bits as two layers.
  autograd::Variable ForwardRelu(const autograd::Variable& input) const;
  absl::StatusOr<Shape> OutputShape(const Shape& example_shape) const override;
  // "weight" [out, in / groups, kernel...], then "bias" [out] where there is one.
  std::vector<NamedParameter> NamedParameters() const override;
  // Uniform in +-1/sqrt(fan_in), weight and bias, as torch.nn; fan_in = in /
  // groups * kernel elements. Order, float32: bound = 1 / sqrt(fan_in);
  // InitializeUniform.
  void Initialize(uint64_t key, uint64_t first_parameter = 0) override;
  bool SupportsShardCuts() const override { return true; }
  std::string Describe() const override;

  const autograd::Variable& weight() const { return weight_; }
  // Undefined where there is none.
  const autograd::Variable& bias() const { return bias_; }

 protected:
  // `axes`: 1 or 2; with 1 the kernel's and the options' rows are unused.
  ConvolutionLayer(int axes, int64_t in_channels, int64_t out_channels,
                   const autograd::HeightWidth& kernel, const autograd::ConvolutionOptions& options,
                   bool bias);

 private:
  autograd::Variable Compute(const autograd::Variable& input, kernels::Activation activation) const;
  // "(3, 3)" or, of one axis, "(3,)".
  std::string Text(const autograd::HeightWidth& pair) const;

  const int axes_;
  const int64_t in_channels_;
  const int64_t out_channels_;
  const autograd::HeightWidth kernel_;
  const autograd::ConvolutionOptions options_;
  autograd::Variable weight_;
  autograd::Variable bias_;
};

// Shapes: [n, in_channels, height, width] to [n, out_channels, rows, columns],
// rows = floor((height + 2 padding - dilation (kernel - 1) - 1) / stride) + 1.
class Conv2d : public ConvolutionLayer {
 public:
  // Requires: channels, kernel, stride, dilation and groups >= 1, padding >= 0;
  // both channel counts multiples of groups.
  Conv2d(int64_t in_channels, int64_t out_channels, const autograd::HeightWidth& kernel,
         const autograd::ConvolutionOptions& options = {}, bool bias = true)
      : ConvolutionLayer(2, in_channels, out_channels, kernel, options, bias) {}
};

// Shapes: [n, in_channels, length] to [n, out_channels, columns].
class Conv1d : public ConvolutionLayer {
 public:
  // Requires: as Conv2d.
  Conv1d(int64_t in_channels, int64_t out_channels, int64_t kernel, int64_t stride = 1,
         int64_t padding = 0, int64_t dilation = 1, int64_t groups = 1, bool bias = true)
      : ConvolutionLayer(1, in_channels, out_channels, {1, kernel},
                         {{1, stride}, {0, padding}, {1, dilation}, groups}, bias) {}
};

}  // namespace lockstep::nn

#endif  // LOCKSTEP_ENGINE_NN_CONVOLUTION_H_
