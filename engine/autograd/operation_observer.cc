#include "engine/autograd/operation_observer.h"

namespace lockstep::autograd {

thread_local OperationObserver* OperationObserver::innermost_ = nullptr;

OperationObserver::OperationObserver() : outer_(innermost_) { innermost_ = this; }
OperationObserver::~OperationObserver() { innermost_ = outer_; }

void OperationObserver::NotifyResult(const char* name, const Variable& result,
                                     absl::Span<const Variable> inputs) {
  for (OperationObserver* observer = innermost_; observer != nullptr; observer = observer->outer_) {
    observer->OnResult(name, result, inputs);
  }
}

void OperationObserver::NotifyGradient(absl::string_view name, int input, const Tensor& gradient,
                                       const Tensor& upstream) {
  for (OperationObserver* observer = innermost_; observer != nullptr; observer = observer->outer_) {
    observer->OnGradient(name, input, gradient, upstream);
  }
}

}  // namespace lockstep::autograd
