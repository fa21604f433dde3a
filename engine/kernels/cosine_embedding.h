// How far two vectors point in the same direction.
#ifndef LOCKSTEP_ENGINE_KERNELS_COSINE_EMBEDDING_H_
#define LOCKSTEP_ENGINE_KERNELS_COSINE_EMBEDDING_H_

#include <cstdint>

namespace lockstep::kernels {

// Of one pair of rows.
template <class T>
struct CosineRow {
  T cosine;
  T first_square;   // |a|^2 + 1e-12
  T second_square;  // |b|^2 + 1e-12
};

// Shapes: a, b [rows, columns], out [rows].
// Order: ab, aa, bb = SumRows of a * b, a * a, b * b, the products rounded;
// u = aa + 1e-12, v = bb + 1e-12; cosine = ab / sqrt(u * v).
// Source: torch.nn.CosineEmbeddingLoss, the small number included.
void CosineRows(int64_t rows, int64_t columns, const float* a, const float* b,
                CosineRow<float>* out);
void CosineRows(int64_t rows, int64_t columns, const double* a, const double* b,
                CosineRow<double>* out);

// The gradient of the cosines after a, times scale[r].
// Order, per row: r = 1 / sqrt(u * v), k = cosine / u;
// da[c] = fma(-k, a[c], r * b[c]) * scale.
void CosineRowsBackward(int64_t rows, int64_t columns, const float* a, const float* b,
                        const CosineRow<float>* cosines, const float* scale, float* da);
void CosineRowsBackward(int64_t rows, int64_t columns, const double* a, const double* b,
                        const CosineRow<double>* cosines, const double* scale, double* da);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_COSINE_EMBEDDING_H_
