// A matrix made nearly orthogonal by products alone.
#ifndef LOCKSTEP_ENGINE_OPTIM_NEWTON_SCHULZ_H_
#define LOCKSTEP_ENGINE_OPTIM_NEWTON_SCHULZ_H_

#include <cstdint>

#include "absl/types/span.h"

namespace lockstep::optim {

// Replaces X [rows, columns] = U S V^T by about U V^T: `steps` times a quintic
// whose slope at 0 is steep, so that singular values end between 0.7 and 1.2
// rather than at 1.
// Order: norm = sqrt(SumOfSquares(X)) in float64, at least epsilon, rounded;
// X = X / norm. Then, with a = 3.4445, b = -4.7750,
// c = 2.0315 in float32 and canonical products (kernels/matmul.h):
//   G = rows <= columns ? X X^T : X^T X;  B = fma(c, G G, b * G);
//   X = fma(a, X, rows <= columns ? B X : X B).
// Source: Jordan and others, "Muon: An optimizer for hidden layers in neural
// networks" (2024).
// Threads: any; the products use OpenMP's.
void Orthogonalize(int64_t rows, int64_t columns, int steps, double epsilon, absl::Span<float> x);

}  // namespace lockstep::optim

#endif  // LOCKSTEP_ENGINE_OPTIM_NEWTON_SCHULZ_H_
