// What training minimises: one loss for each example. Averages are the
// caller's: gradients are sums over examples until the optimizer divides.
#ifndef LOCKSTEP_ENGINE_NN_LOSS_H_
#define LOCKSTEP_ENGINE_NN_LOSS_H_

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "engine/autograd/loss_ops.h"
#include "engine/autograd/variable.h"

namespace lockstep::nn {

struct LossResult {
  // [n], in the examples' order. For the gradient sum over the examples:
  // losses.Backward(Tensor::Full({n}, 1)).
  autograd::Variable losses;
  // How many answers were given, one for each label that counts; 0 where the
  // loss knows no right and wrong.
  int64_t predictions = 0;
  // How many of them were right.
  int64_t correct = 0;
};

// Labels are int64 or float32 (classes: whole numbers).
class Loss {
 public:
  virtual ~Loss() = default;
  // Whether Forward takes these. Errors: InvalidArgument, naming what was got
  // and wanted, and the first wrong label.
  virtual absl::Status Check(const Shape& outputs, const Tensor& labels) const = 0;
  // Requires: Check() is ok.
  virtual LossResult Forward(const autograd::Variable& outputs, const Tensor& labels) const = 0;
};

struct ClassLossSettings {
  // One per class; empty: 1.
  std::vector<float> class_weights;
  // 0 to 1; for CrossEntropy.
  double label_smoothing = 0;
  std::optional<int64_t> ignored_label;
};

// Losses of a label that is a class. Outputs [n, ..., classes], labels [n, ...];
// right: the greatest output is the label's.
class ClassLoss : public Loss {
 public:
  absl::Status Check(const Shape& outputs, const Tensor& labels) const override;

 protected:
  ClassLoss(const char* name, ClassLossSettings settings)
      : name_(name), settings_(std::move(settings)) {}

  // What the autograd operation takes.
  autograd::CrossEntropyOptions OptionsFor(DType dtype) const;
  // Counts the right ones of `predictions`, of the labels' shape.
  void Count(const Tensor& predictions, const Tensor& classes, LossResult* result) const;

 private:
  const char* const name_;
  const ClassLossSettings settings_;
};

// Softmax and negative log-likelihood: outputs are logits.
class CrossEntropy : public ClassLoss {
 public:
  explicit CrossEntropy(ClassLossSettings settings = {})
      : ClassLoss("cross_entropy", std::move(settings)) {}
  LossResult Forward(const autograd::Variable& outputs, const Tensor& labels) const override;
};

// Outputs are log-probabilities.
class NegativeLogLikelihood : public ClassLoss {
 public:
  explicit NegativeLogLikelihood(ClassLossSettings settings = {})
      : ClassLoss("nll", std::move(settings)) {}
  LossResult Forward(const autograd::Variable& outputs, const Tensor& labels) const override;
};

enum class TargetLossKind {
  kMeanSquaredError,
  kL1,
  kHuber,                         // parameter: delta
  kBinaryCrossEntropy,            // outputs are probabilities
  kBinaryCrossEntropyWithLogits,  // parameter: the weight of a target of 1
  kHinge,
  kKlDivergence,     // outputs are log-probabilities, targets probabilities
  kCosineEmbedding,  // an example's outputs and targets are two vectors
};

// Losses that compare every output with a number. Labels: as many for each
// example as it has outputs. Right, of the binary losses and hinge: probability
// above 0.5, or logit or output above 0, where and only where the target is
// above 0.5 (hinge: 0).
class TargetLoss : public Loss {
 public:
  explicit TargetLoss(TargetLossKind kind, double parameter = 1)
      : kind_(kind), parameter_(parameter) {}
  absl::Status Check(const Shape& outputs, const Tensor& labels) const override;
  LossResult Forward(const autograd::Variable& outputs, const Tensor& labels) const override;

 private:
  const TargetLossKind kind_;
  const double parameter_;
};

// Adds up losses [n] in float64, ascending: how a shard's loss is reported.
double SumLosses(const Tensor& losses);

}  // namespace lockstep::nn

#endif  // LOCKSTEP_ENGINE_NN_LOSS_H_
