// Softmax, log-softmax and log-sum-exp over the rows of [rows, columns], with
// gradients. Cross entropy has a kernel of its own (cross_entropy.h).
#ifndef LOCKSTEP_ENGINE_KERNELS_SOFTMAX_H_
#define LOCKSTEP_ENGINE_KERNELS_SOFTMAX_H_

#include <cstdint>

namespace lockstep::kernels {

// Order, per row: z = x * scale; m = the greatest z; e = exp_below_zero(z - m);
// s = row sum of e in SumRows' order; y = e * (1 / s). A row that is -Inf
// throughout, or holds +Inf or NaN, gives NaN. y may be x. Requires: columns >= 1.
void Softmax(int64_t rows, int64_t columns, float scale, const float* x, float* y);

// From the result y. Order, per row: a = row sum of fma(dy, y, lane); dx = (y *
// (dy - a)) * scale. dx may be dy or y.
void SoftmaxBackward(int64_t rows, int64_t columns, float scale, const float* y, const float* dy,
                     float* dx);

// Order, per row: m, e, s as Softmax of scale 1; l = log(s); y = (x - m) - l.
// y must not be x.
void LogSoftmax(int64_t rows, int64_t columns, const float* x, float* y);

// From the result y. Order, per row: a = row sum of dy; dx = fma(-exp(y), a,
// dy). dx may be dy or y.
void LogSoftmaxBackward(int64_t rows, int64_t columns, const float* y, const float* dy, float* dx);

// y [rows]. Order, per row: m as Softmax of scale 1, but 0 where it is
// infinite; y = m + log(row sum of exp(x - m)).
void LogSumExp(int64_t rows, int64_t columns, const float* x, float* y);

// y, dy [rows]. Order: dx = exp(x - y) * dy.
void LogSumExpBackward(int64_t rows, int64_t columns, const float* x, const float* y,
                       const float* dy, float* dx);

// The same on float64, by plain loops.
void Softmax(int64_t rows, int64_t columns, double scale, const double* x, double* y);
void SoftmaxBackward(int64_t rows, int64_t columns, double scale, const double* y, const double* dy,
                     double* dx);
void LogSoftmax(int64_t rows, int64_t columns, const double* x, double* y);
void LogSoftmaxBackward(int64_t rows, int64_t columns, const double* y, const double* dy,
                        double* dx);
void LogSumExp(int64_t rows, int64_t columns, const double* x, double* y);
void LogSumExpBackward(int64_t rows, int64_t columns, const double* x, const double* y,
                       const double* dy, double* dx);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_SOFTMAX_H_
