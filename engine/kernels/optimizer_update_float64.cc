// optimizer_update.h on float64: the scalar definition itself.
#include "engine/kernels/reference/optimizer_update.h"

namespace lockstep::kernels {

void AddInPlace(absl::Span<double> sum, absl::Span<const double> other) {
  reference::AddInPlace<double>(sum, other);
}

void SgdUpdate(const SgdStepOf<double>& step, absl::Span<const double> gradient_sum,
               absl::Span<const double> parameter, absl::Span<double> velocity,
               absl::Span<double> new_parameter) {
  reference::SgdUpdate<double>(step, gradient_sum, parameter, velocity, new_parameter);
}

void AdamUpdate(const AdamStepOf<double>& step, absl::Span<const double> gradient_sum,
                absl::Span<const double> parameter, absl::Span<double> first_moment,
                absl::Span<double> second_moment, absl::Span<double> greatest_second_moment,
                absl::Span<double> new_parameter) {
  reference::AdamUpdate<double>(step, gradient_sum, parameter, first_moment, second_moment,
                                greatest_second_moment, new_parameter);
}

}  // namespace lockstep::kernels
