// optimizer_update.h on float64: the scalar definition itself.
#include "engine/kernels/reference/optimizer_update.h"

namespace lockstep::kernels {

void AddInPlace(absl::Span<double> sum, absl::Span<const double> other) {
  reference::AddInPlace<double>(sum, other);
}

}  // namespace lockstep::kernels
