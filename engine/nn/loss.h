// What training minimises: one loss for each example. Averages are the
// caller's: gradients are sums over examples until the optimizer divides.
#ifndef LOCKSTEP_ENGINE_NN_LOSS_H_
#define LOCKSTEP_ENGINE_NN_LOSS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "engine/autograd/variable.h"

namespace lockstep::nn {

struct LossResult {
  // [n], in the examples' order. For the gradient sum over the examples:
  // losses.Backward(Tensor::Full({n}, 1)).
  autograd::Variable losses;
  // Examples whose greatest output is their label's; unset where the loss has
  // no classes.
  std::optional<int64_t> correct;
};

// Labels are [n], int64 or float32 (cross entropy: whole numbers).
class Loss {
 public:
  virtual ~Loss() = default;
  // Whether Forward takes these. Errors: InvalidArgument, naming what was got
  // and wanted, and the first wrong label's row.
  virtual absl::Status Check(const Shape& outputs, const Tensor& labels) const = 0;
  // Requires: Check() is ok.
  virtual LossResult Forward(const autograd::Variable& outputs, const Tensor& labels) const = 0;
  // Whether LossResult::correct is set.
  virtual bool has_classes() const = 0;
};

// Softmax and negative log-likelihood. Outputs [n, classes].
class CrossEntropy : public Loss {
 public:
  absl::Status Check(const Shape& outputs, const Tensor& labels) const override;
  LossResult Forward(const autograd::Variable& outputs, const Tensor& labels) const override;
  bool has_classes() const override { return true; }
};

// Squared error. Outputs [n] or [n, 1].
class MeanSquaredError : public Loss {
 public:
  absl::Status Check(const Shape& outputs, const Tensor& labels) const override;
  LossResult Forward(const autograd::Variable& outputs, const Tensor& labels) const override;
  bool has_classes() const override { return false; }
};

// Adds up losses [n] in float64, ascending: how a shard's loss is reported.
double SumLosses(const Tensor& losses);

}  // namespace lockstep::nn

#endif  // LOCKSTEP_ENGINE_NN_LOSS_H_
