// attention.h on float64: the scalar definition itself.
#include "engine/kernels/reference/attention.h"

namespace lockstep::kernels {

void Attention(const AttentionExtents& extents, RotaryTableOf<double> rotary, const double* qkv,
               double* out, double* statistics) {
  reference::Attention(extents, rotary, qkv, out, statistics);
}

void AttentionBackward(const AttentionExtents& extents, RotaryTableOf<double> rotary,
                       const double* qkv, const double* out, const double* statistics,
                       const double* dout, double* dqkv) {
  reference::AttentionBackward(extents, rotary, qkv, out, statistics, dout, dqkv);
}

}  // namespace lockstep::kernels
