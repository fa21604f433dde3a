// Layer and root-mean-square normalisation: rows of [rows, columns] brought to
// mean 0 and variance 1, or to mean square 1, then scaled and shifted.
//
// A row sum has 16 lanes as kernels::SumRows; "of fma(a, b, lane)" says how an
// element joins its lane.
// Source: Ba, Kiros, Hinton, "Layer Normalization", 2016; Zhang, Sennrich,
// "Root Mean Square Layer Normalization", 2019.
#ifndef LOCKSTEP_ENGINE_KERNELS_LAYER_NORM_H_
#define LOCKSTEP_ENGINE_KERNELS_LAYER_NORM_H_

#include <cstdint>

#include "absl/types/span.h"

namespace lockstep::kernels {

// Shapes: x, y [rows, columns]; weight, bias [columns] or null; mean, rstd
// [rows], both written for the backward. y may be x.
// Order, per row: mean = (row sum of x) / columns; d = x - mean; variance =
// (row sum of fma(d, d, lane)) / columns; rstd = 1 / sqrt(variance + epsilon);
// h = d * rstd; y = fma(h, weight, bias), h * weight without bias, h + bias
// without weight, h without both.
void LayerNorm(int64_t rows, int64_t columns, float epsilon, const float* x, const float* weight,
               const float* bias, float* y, float* mean, float* rstd);

// Order, per row: rstd = 1 / sqrt((row sum of fma(x, x, lane)) / columns +
// epsilon); h = x * rstd; y = h * weight, h without one.
void RmsNorm(int64_t rows, int64_t columns, float epsilon, const float* x, const float* weight,
             float* y, float* rstd);

// The input's gradient of both; of RmsNorm where mean is null.
// Order, per row: h = (x - mean) * rstd (x * rstd without a mean); g = dy *
// weight (dy without one); a = (row sum of g) / columns; b = (row sum of
// fma(g, h, lane)) / columns; dx = rstd * fma(-h, b, g - a), without a mean
// rstd * fma(-h, b, g). dx may be dy.
void LayerNormBackward(int64_t rows, int64_t columns, const float* x, const float* mean,
                       const float* rstd, const float* weight, const float* dy, float* dx);

// The parameters' gradients of both (mean null: RmsNorm); dweight, dbias
// [columns], either may be null.
// Order, per column: for each shard one chain from +0 over its rows
// [cuts[i], cuts[i+1]) ascending, of fma(dy, h, chain) for the weight and of
// chain + dy for the bias; then the shard tree.
void LayerNormParameterGradients(int64_t columns, absl::Span<const int64_t> cuts, const float* x,
                                 const float* mean, const float* rstd, const float* dy,
                                 float* dweight, float* dbias);

// The same on float64, by plain loops.
void LayerNorm(int64_t rows, int64_t columns, double epsilon, const double* x, const double* weight,
               const double* bias, double* y, double* mean, double* rstd);
void RmsNorm(int64_t rows, int64_t columns, double epsilon, const double* x, const double* weight,
             double* y, double* rstd);
void LayerNormBackward(int64_t rows, int64_t columns, const double* x, const double* mean,
                       const double* rstd, const double* weight, const double* dy, double* dx);
void LayerNormParameterGradients(int64_t columns, absl::Span<const int64_t> cuts, const double* x,
                                 const double* mean, const double* rstd, const double* dy,
                                 double* dweight, double* dbias);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_LAYER_NORM_H_
