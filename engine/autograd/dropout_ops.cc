#include "engine/autograd/dropout_ops.h"

#include "absl/strings/str_cat.h"
#include "engine/autograd/node.h"
#include "engine/check.h"

namespace lockstep::autograd {
namespace {

void Drop(const kernels::DropoutPlace& place, float probability, const Tensor& x, Tensor y) {
  const int64_t examples = x.dim(0);
  const int64_t size = examples == 0 ? 0 : x.element_count() / examples;
  VisitFloating("dropout", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::Dropout(place, examples, size, probability, x.data<T>(), y.data<T>());
  });
}

}  // namespace

Variable Dropout(const Variable& x, float probability, const kernels::DropoutPlace& place) {
  LOCKSTEP_CHECK(x.rank() >= 1, "dropout: got a scalar, want an axis of examples");
  LOCKSTEP_CHECK(probability >= 0 && probability <= 1,
                 absl::StrCat("dropout: got probability ", probability, ", want 0 to 1"));
  Tensor y = Tensor::Empty(x.shape(), x.value().dtype());
  Drop(place, probability, x.value(), y);
  return MakeResult("dropout", y, {x},
                    [place, probability](const Tensor& upstream, InputGradients& gradients) {
                      Tensor dx = gradients.Destination(0);
                      Drop(place, probability, upstream, dx);
                      gradients.Add(0, dx);
                    });
}

}  // namespace lockstep::autograd
