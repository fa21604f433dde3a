// Losses that compare each output with a target of its own, summed over the
// outputs of an example in one pass.
#ifndef LOCKSTEP_ENGINE_KERNELS_POINTWISE_LOSS_H_
#define LOCKSTEP_ENGINE_KERNELS_POINTWISE_LOSS_H_

#include <cstdint>

namespace lockstep::kernels {

// The loss l of output x and target t, and its derivative d after x. Each
// operation is rounded; fma, Exp, Log and Sigmoid as in docs/arithmetic.md.
// `parameter` is p. Kept NaN: where x or t is NaN, l is.
enum class PointwiseLossOp {
  // e = x - t; l = |e|; d = 1 where e > 0, -1 where e < 0, else e.
  kAbsolute,
  // e = x - t, a = |e|; l = p * (a - 0.5 * p) where a > p, else 0.5 * (e * e);
  // d = p with e's sign where a > p, else e.  (p: Huber's delta, > 0.)
  kHuber,
  // x is a probability. L(v) = Log(v), but not below -100;
  // l = (t - 1) * L(1 - x) - t * L(x);
  // d = (x - t) / ((1 - x) * x, but not below 1e-12).
  kBinaryCrossEntropy,
  // x is a logit; e = Exp(-|x|), s = 1 + e, g = Log(s) + (e - (s - 1)) / s;
  // h = g + (x < 0 ? -x : 0), which is log(1 + exp(-x)), k = g + (x > 0 ? x : 0);
  // l = fma(p * t, h, (1 - t) * k);
  // d = fma(-(p * t), Sigmoid(-x), (1 - t) * Sigmoid(x)).
  // (p: the weight of t = 1 beside t = 0.)
  kBinaryCrossEntropyWithLogits,
  // y = 1 where t > 0, else -1; m = 1 - y * x; l = 0 where m <= 0, else m;
  // d = 0 where m <= 0, else -y.
  kHinge,
  // x is a log-probability, t a probability; l = 0 where t is 0, else
  // t * (Log(t) - x); d = -t.
  kKullbackLeibler,
};

// Shapes: x, targets [rows, columns], losses [rows].
// Order: losses[r] = SumRows of row r's l.
void PointwiseLoss(PointwiseLossOp op, int64_t rows, int64_t columns, float parameter,
                   const float* x, const float* targets, float* losses);
void PointwiseLoss(PointwiseLossOp op, int64_t rows, int64_t columns, double parameter,
                   const double* x, const double* targets, double* losses);

// Shapes: scale [rows], dx [rows, columns], which may be x.
// Order: dx[r,c] = d * scale[r].
void PointwiseLossBackward(PointwiseLossOp op, int64_t rows, int64_t columns, float parameter,
                           const float* x, const float* targets, const float* scale, float* dx);
void PointwiseLossBackward(PointwiseLossOp op, int64_t rows, int64_t columns, double parameter,
                           const double* x, const double* targets, const double* scale, double* dx);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_POINTWISE_LOSS_H_
