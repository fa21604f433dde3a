// Finds out which operation first made a number that is not finite.
//
//   AnomalyGuard guard;
//   Variable loss = model.Forward(x);
//   loss.Backward();
//   if (!guard.report().empty()) ...  // "forward of log gave -inf at element 3 of ..."
//
// It looks at every result and every gradient, which costs about one more pass
// over memory per operation: for a step that has already failed, run again, or
// for debugging. Nothing is changed: the bits are those of a run without it.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_ANOMALY_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_ANOMALY_H_

#include <string>

#include "absl/types/span.h"
#include "engine/autograd/operation_observer.h"
#include "engine/autograd/variable.h"
#include "engine/tensor.h"

namespace lockstep::autograd {

// While it lives, watches the operations of its thread, forward and backward.
class AnomalyGuard : public OperationObserver {
 public:
  // One line about the first NaN or infinity since the guard was made: the
  // operation, the direction, where, all shapes, and whether it was in the
  // operation's inputs already. Empty: all was finite.
  const std::string& report() const { return report_; }

  void OnResult(const char* name, const Variable& result,
                absl::Span<const Variable> inputs) override;
  void OnGradient(absl::string_view name, int input, const Tensor& gradient,
                  const Tensor& upstream) override;

 private:
  std::string report_;
};

// "nan at element 3"; empty where all elements are finite (or whole numbers).
std::string DescribeNonFinite(const Tensor& tensor);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_ANOMALY_H_
