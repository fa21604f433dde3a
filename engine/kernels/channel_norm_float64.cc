// channel_norm.h on float64: the scalar definition itself.
#include "engine/kernels/channel_norm.h"
#include "engine/kernels/reference/channel_norm.h"

namespace lockstep::kernels {

void ChannelStatistics(const ChannelSets& sets, const double* x, double* mean, double* squares) {
  reference::ChannelStatistics(sets, x, mean, squares);
}

void ChannelNorm(const ChannelSets& sets, const double* x, const double* mean, const double* rstd,
                 const double* weight, const double* bias, double* y) {
  reference::ChannelNorm(sets, x, mean, rstd, weight, bias, y);
}

void ChannelGradientSums(const ChannelSets& sets, const double* x, const double* mean,
                         const double* rstd, const double* dy, double* dy_sums,
                         double* product_sums) {
  reference::ChannelGradientSums(sets, x, mean, rstd, dy, dy_sums, product_sums);
}

void ChannelNormBackward(const ChannelSets& sets, const double* x, const double* mean,
                         const double* rstd, const double* weight, const double* a, const double* b,
                         const double* dy, double* dx) {
  reference::ChannelNormBackward(sets, x, mean, rstd, weight, a, b, dy, dx);
}

}  // namespace lockstep::kernels
