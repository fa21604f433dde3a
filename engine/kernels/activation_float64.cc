// activation.h on float64: the scalar definition itself.
#include "engine/kernels/activation.h"
#include "engine/kernels/reference/activation.h"

namespace lockstep::kernels {

void Activate(ActivationFunction f, ActivationConstants constants, int64_t size, const double* x,
              double* y) {
  reference::Activate(f, constants, size, x, y);
}

void ActivateBackward(ActivationFunction f, ActivationConstants constants, int64_t size,
                      const double* dy, const double* x, double* dx) {
  reference::ActivateBackward(f, constants, size, dy, x, dx);
}

}  // namespace lockstep::kernels
