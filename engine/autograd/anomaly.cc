#include "engine/autograd/anomaly.h"

#include <cmath>

#include "absl/strings/str_cat.h"

namespace lockstep::autograd {
namespace {

std::string ShapesOf(absl::Span<const Variable> inputs) {
  std::string text;
  for (const Variable& input : inputs) {
    absl::StrAppend(&text, text.empty() ? "" : ", ",
                    input.defined() ? input.shape().ToString() : "none");
  }
  return text.empty() ? "none" : text;
}

}  // namespace

void AnomalyGuard::OnResult(const char* name, const Variable& result,
                            absl::Span<const Variable> inputs) {
  if (!report_.empty()) return;
  const std::string found = DescribeNonFinite(result.value());
  if (found.empty()) return;
  report_ = absl::StrCat("forward of ", name, " gave ", found, " of its result ",
                         result.shape().ToString(), " from inputs ", ShapesOf(inputs));
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].defined()) continue;
    const std::string before = DescribeNonFinite(inputs[i].value());
    if (!before.empty()) absl::StrAppend(&report_, "; input ", i, " already held ", before);
  }
}

void AnomalyGuard::OnGradient(absl::string_view name, int input, const Tensor& gradient,
                              const Tensor& upstream) {
  if (!report_.empty()) return;
  const std::string found = DescribeNonFinite(gradient);
  if (found.empty()) return;
  report_ = absl::StrCat("backward of ", name, " gave ", found, " of the gradient of its input ",
                         input, " ", gradient.shape().ToString(), " from an upstream gradient ",
                         upstream.shape().ToString());
  const std::string before = DescribeNonFinite(upstream);
  if (!before.empty()) absl::StrAppend(&report_, " that already held ", before);
}

std::string DescribeNonFinite(const Tensor& tensor) {
  if (tensor.dtype() == DType::kInt64) return "";
  return VisitFloating("anomaly", tensor.dtype(), [&](auto zero) -> std::string {
    using T = decltype(zero);
    const absl::Span<const T> values = tensor.span<T>();
    for (size_t i = 0; i < values.size(); ++i) {
      if (std::isfinite(values[i])) continue;
      // The sign of a NaN is left to the machine.
      const char* const what = std::isnan(values[i]) ? "nan" : values[i] > 0 ? "inf" : "-inf";
      return absl::StrCat(what, " at element ", i);
    }
    return "";
  });
}

}  // namespace lockstep::autograd
