// layer_norm.h on float64: the scalar definition itself.
#include "engine/kernels/layer_norm.h"
#include "engine/kernels/reference/layer_norm.h"

namespace lockstep::kernels {

void LayerNorm(int64_t rows, int64_t columns, double epsilon, const double* x, const double* weight,
               const double* bias, double* y, double* mean, double* rstd) {
  reference::LayerNorm(rows, columns, epsilon, x, weight, bias, y, mean, rstd);
}

void RmsNorm(int64_t rows, int64_t columns, double epsilon, const double* x, const double* weight,
             double* y, double* rstd) {
  reference::RmsNorm(rows, columns, epsilon, x, weight, y, rstd);
}

void LayerNormBackward(int64_t rows, int64_t columns, const double* x, const double* mean,
                       const double* rstd, const double* weight, const double* dy, double* dx) {
  reference::LayerNormBackward(rows, columns, x, mean, rstd, weight, dy, dx);
}

void LayerNormParameterGradients(int64_t columns, absl::Span<const int64_t> cuts, const double* x,
                                 const double* mean, const double* rstd, const double* dy,
                                 double* dweight, double* dbias) {
  reference::LayerNormParameterGradients(columns, cuts, x, mean, rstd, dy, dweight, dbias);
}

}  // namespace lockstep::kernels
