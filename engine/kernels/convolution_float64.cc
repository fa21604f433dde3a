// Convolutions of float64: the definition's plain loops.
#include "engine/kernels/convolution.h"
#include "engine/kernels/reference/convolution.h"

namespace lockstep::kernels {

void Convolution(const ConvolutionShape& shape, const double* x, const double* weight,
                 const double* bias, Activation activation, double* y) {
  reference::Convolution(shape, x, weight, bias, activation, y);
}

void ConvolutionInputGradient(const ConvolutionShape& shape, const double* dy, const double* weight,
                              double* dx) {
  reference::ConvolutionInputGradient(shape, dy, weight, dx);
}

void ConvolutionWeightGradient(const ConvolutionShape& shape, absl::Span<const int64_t> cuts,
                               const double* x, const double* dy, double* dweight) {
  reference::ConvolutionWeightGradient(shape, cuts, x, dy, dweight);
}

void ConvolutionBiasGradient(const ConvolutionShape& shape, absl::Span<const int64_t> cuts,
                             const double* dy, double* dbias) {
  reference::ConvolutionBiasGradient(shape, cuts, dy, dbias);
}

}  // namespace lockstep::kernels
