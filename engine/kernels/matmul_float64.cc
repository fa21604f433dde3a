// matmul.h on float64: the scalar definition itself.
#include "engine/kernels/reference/matmul.h"

namespace lockstep::kernels {

void Matmul(int64_t m, int64_t n, int64_t k, MatmulOperandOf<double> a, MatmulOperandOf<double> b,
            const double* bias, Activation activation, double* c) {
  reference::Matmul(m, n, k, a, b, bias, activation, c);
}

void MatmulShardTree(int64_t m, int64_t n, absl::Span<const int64_t> cuts, const double* a,
                     const double* b, double* c) {
  reference::MatmulShardTree(m, n, cuts, a, b, c);
}

}  // namespace lockstep::kernels
