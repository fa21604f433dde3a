// recurrent.h on float64: the scalar definition itself.
#include "engine/kernels/reference/recurrent.h"

namespace lockstep::kernels {

void Recurrent(const RecurrentExtents& extents, const double* input, const double* weight,
               const double* bias, double* output, double* saved_gates, double* saved_state) {
  reference::Recurrent(extents, input, weight, bias, output, saved_gates, saved_state);
}

void RecurrentBackward(const RecurrentExtents& extents, const double* weight, const double* output,
                       const double* saved_gates, const double* saved_state, const double* dout,
                       double* dinput, double* drecurrent) {
  reference::RecurrentBackward(extents, weight, output, saved_gates, saved_state, dout, dinput,
                               drecurrent);
}

}  // namespace lockstep::kernels
