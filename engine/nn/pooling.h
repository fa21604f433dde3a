// Pooling layers, as those of torch.nn by the same names. No parameters.
#ifndef LOCKSTEP_ENGINE_NN_POOLING_H_
#define LOCKSTEP_ENGINE_NN_POOLING_H_

#include <cstdint>
#include <string>

#include "engine/autograd/pooling_ops.h"
#include "engine/nn/module.h"

namespace lockstep::nn {

// What they have in common. Shapes: [n, channels, axes...], the axes pooled.
class PoolingLayer : public Module {
 public:
  absl::StatusOr<Shape> OutputShape(const Shape& example_shape) const override;
  void Initialize(uint64_t, uint64_t) override {}
  bool SupportsShardCuts() const override { return true; }

 protected:
  // `name` for messages, as "max_pool2d"; `axes`: 1 or 2.
  PoolingLayer(const char* name, int axes) : name_(name), axes_(axes) {}
  // The output's extent on an axis (0: rows, unused of one axis; 1: columns) of
  // extent `in`; 0 or less where the window does not fit.
  virtual int64_t Extent(int axis, int64_t in) const = 0;
  // "2" where both are equal or there is one axis, else "(2, 3)".
  std::string Text(const autograd::HeightWidth& pair) const;

 private:
  const char* const name_;
  const int axes_;
};

// Windows of a kernel and a stride. Requires: PoolingOptions.
class WindowPoolingLayer : public PoolingLayer {
 protected:
  WindowPoolingLayer(const char* name, int axes, const autograd::PoolingOptions& options);
  int64_t Extent(int axis, int64_t in) const override;

  const autograd::PoolingOptions options_;
};

class MaxPool2d : public WindowPoolingLayer {
 public:
  explicit MaxPool2d(const autograd::PoolingOptions& options)
      : WindowPoolingLayer("max_pool2d", 2, options) {}
  autograd::Variable Forward(const autograd::Variable& input) const override;
  std::string Describe() const override;
};

class MaxPool1d : public WindowPoolingLayer {
 public:
  MaxPool1d(int64_t kernel, int64_t stride, int64_t padding = 0)
      : WindowPoolingLayer("max_pool1d", 1, {{1, kernel}, {1, stride}, {0, padding}}) {}
  autograd::Variable Forward(const autograd::Variable& input) const override;
  std::string Describe() const override;
};

class AvgPool2d : public WindowPoolingLayer {
 public:
  explicit AvgPool2d(const autograd::PoolingOptions& options)
      : WindowPoolingLayer("avg_pool2d", 2, options) {}
  autograd::Variable Forward(const autograd::Variable& input) const override;
  std::string Describe() const override;
};

class AvgPool1d : public WindowPoolingLayer {
 public:
  AvgPool1d(int64_t kernel, int64_t stride, int64_t padding = 0, bool count_padding = true)
      : WindowPoolingLayer("avg_pool1d", 1,
                           {{1, kernel}, {1, stride}, {0, padding}, count_padding}) {}
  autograd::Variable Forward(const autograd::Variable& input) const override;
  std::string Describe() const override;
};

// As many windows as asked for, whatever the input's size.
class AdaptiveAvgPool2d : public PoolingLayer {
 public:
  // Requires: both sizes >= 1.
  explicit AdaptiveAvgPool2d(const autograd::HeightWidth& output_size);
  autograd::Variable Forward(const autograd::Variable& input) const override;
  std::string Describe() const override;

 protected:
  int64_t Extent(int axis, int64_t in) const override;

 private:
  const autograd::HeightWidth output_size_;
};

class AdaptiveAvgPool1d : public PoolingLayer {
 public:
  // Requires: size >= 1.
  explicit AdaptiveAvgPool1d(int64_t output_size);
  autograd::Variable Forward(const autograd::Variable& input) const override;
  std::string Describe() const override;

 protected:
  int64_t Extent(int axis, int64_t in) const override;

 private:
  const int64_t output_size_;
};

}  // namespace lockstep::nn

#endif  // LOCKSTEP_ENGINE_NN_POOLING_H_
