// Layers without parameters that work element by element. Functions and
// gradients: autograd/activation_ops.h; arguments and defaults: torch.nn's.
#ifndef LOCKSTEP_ENGINE_NN_ACTIVATIONS_H_
#define LOCKSTEP_ENGINE_NN_ACTIVATIONS_H_

#include "engine/nn/module.h"

namespace lockstep::nn {

// What they have in common: any shape, unchanged.
class ElementwiseLayer : public Module {
 public:
  absl::StatusOr<Shape> OutputShape(const Shape& example_shape) const override {
    return example_shape;
  }
  void Initialize(uint64_t, uint64_t) override {}
  bool SupportsShardCuts() const override { return true; }
};

// max(x, 0).
class ReLU : public ElementwiseLayer {
 public:
  autograd::Variable Forward(const autograd::Variable& input) const override;
  std::string Describe() const override { return "ReLU()"; }
};

class Tanh : public ElementwiseLayer {
 public:
  autograd::Variable Forward(const autograd::Variable& input) const override;
  std::string Describe() const override { return "Tanh()"; }
};

// 1 / (1 + exp(-x)).
class Sigmoid : public ElementwiseLayer {
 public:
  autograd::Variable Forward(const autograd::Variable& input) const override;
  std::string Describe() const override { return "Sigmoid()"; }
};

class LeakyReLU : public ElementwiseLayer {
 public:
  explicit LeakyReLU(double negative_slope = 0.01) : negative_slope_(negative_slope) {}
  autograd::Variable Forward(const autograd::Variable& input) const override;
  std::string Describe() const override;

 private:
  const double negative_slope_;
};

class ELU : public ElementwiseLayer {
 public:
  explicit ELU(double alpha = 1) : alpha_(alpha) {}
  autograd::Variable Forward(const autograd::Variable& input) const override;
  std::string Describe() const override;

 private:
  const double alpha_;
};

// x Phi(x), exactly by erf or approximately by tanh.
class GELU : public ElementwiseLayer {
 public:
  enum class Approximate { kNone, kTanh };
  explicit GELU(Approximate approximate = Approximate::kNone) : approximate_(approximate) {}
  autograd::Variable Forward(const autograd::Variable& input) const override;
  std::string Describe() const override;

 private:
  const Approximate approximate_;
};

// x sigmoid(x).
class SiLU : public ElementwiseLayer {
 public:
  autograd::Variable Forward(const autograd::Variable& input) const override;
  std::string Describe() const override { return "SiLU()"; }
};

// log(1 + exp(beta x)) / beta; x where beta x > threshold.
class Softplus : public ElementwiseLayer {
 public:
  explicit Softplus(double beta = 1, double threshold = 20) : beta_(beta), threshold_(threshold) {}
  autograd::Variable Forward(const autograd::Variable& input) const override;
  std::string Describe() const override;

 private:
  const double beta_;
  const double threshold_;
};

// x brought between min_val and max_val.
class Hardtanh : public ElementwiseLayer {
 public:
  explicit Hardtanh(double min_val = -1, double max_val = 1)
      : min_val_(min_val), max_val_(max_val) {}
  autograd::Variable Forward(const autograd::Variable& input) const override;
  std::string Describe() const override;

 private:
  const double min_val_;
  const double max_val_;
};

class ReLU6 : public ElementwiseLayer {
 public:
  autograd::Variable Forward(const autograd::Variable& input) const override;
  std::string Describe() const override { return "ReLU6()"; }
};

}  // namespace lockstep::nn

#endif  // LOCKSTEP_ENGINE_NN_ACTIVATIONS_H_
