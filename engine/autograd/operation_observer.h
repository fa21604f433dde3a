// Looks over the shoulder of a thread's operations: what finds anomalies and
// draws graphs is built on it. Costs nothing while nobody looks.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_OPERATION_OBSERVER_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_OPERATION_OBSERVER_H_

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/autograd/variable.h"
#include "engine/tensor.h"

namespace lockstep::autograd {

// Told of everything from its construction to its destruction, on its thread;
// several may look at once. Observers must go in the reverse order of their
// making.
class OperationObserver {
 public:
  OperationObserver();
  virtual ~OperationObserver();
  OperationObserver(const OperationObserver&) = delete;
  OperationObserver& operator=(const OperationObserver&) = delete;

  // An operation has made `result`, whether it is recorded for a backward or not.
  virtual void OnResult(const char* name, const Variable& result,
                        absl::Span<const Variable> inputs) = 0;
  // The backward of operation `name` has computed its contribution to input
  // `input`'s gradient.
  virtual void OnGradient(absl::string_view name, int input, const Tensor& gradient,
                          const Tensor& upstream) {
    (void)name, (void)input, (void)gradient, (void)upstream;
  }

  // ---- For the graph (node.h).

  // Whether somebody looks at this thread.
  static bool Any() { return innermost_ != nullptr; }
  static void NotifyResult(const char* name, const Variable& result,
                           absl::Span<const Variable> inputs);
  static void NotifyGradient(absl::string_view name, int input, const Tensor& gradient,
                             const Tensor& upstream);

 private:
  static thread_local OperationObserver* innermost_;

  OperationObserver* const outer_;
};

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_OPERATION_OBSERVER_H_
