// Initial values of parameters, from Philox: element e of the model's
// parameter i is a function of (key, i, e) alone. Names, formulas and defaults
// as torch.nn.init.
//
// Below, word(e) = RandomWord(key, kInitialValues, step = parameter, example 0,
// element e). Scalars (bounds, standard deviations) are computed in float64 and
// rounded to float32 once.
#ifndef LOCKSTEP_ENGINE_NN_INITIALIZERS_H_
#define LOCKSTEP_ENGINE_NN_INITIALIZERS_H_

#include <cstdint>

#include "engine/autograd/variable.h"

namespace lockstep::nn {

// Which random numbers a parameter takes.
struct InitialValueKey {
  uint64_t key = 0;        // the job's seed
  uint64_t parameter = 0;  // model-wide index, in forward order
};

// How many inputs an output of a weight [out, in, kernel axes...] sees, and the
// reverse. Requires: rank >= 2.
struct Fans {
  int64_t in = 0;
  int64_t out = 0;
};
Fans FansOf(const Shape& weight_shape);

// What Kaiming's formulas keep constant: the size of activations or of gradients.
enum class FanMode { kFanIn, kFanOut };

// Each of these allocates the parameter where it has no elements yet. They
// require a float32 parameter.

void InitializeConstant(float value, autograd::Variable parameter);

// In [-bound, bound). Order, float32: element e = (2 * u - 1) * bound,
// u = UniformFloat(word(e)).
void InitializeUniform(const InitialValueKey& key, float bound, autograd::Variable parameter);

// Normal, by Box and Muller. Order: u = ((word(2e) >> 8) + 1) * 2^-24, v =
// UniformFloat(word(2e + 1)); z = sqrt(-2 * Log(u)) * c in float32, c the
// float32 nearest to cos(2 pi v), which is CosPi(2 v), or CosPi(2 - 2 v) where
// v > 1/2; element e = z * standard_deviation + mean. |z| < 5.77.
void InitializeNormal(const InitialValueKey& key, float mean, float standard_deviation,
                      autograd::Variable parameter);

// Normal, but within [least, most], by rejection: attempt a = 0, 1, ... draws
// element e as InitializeNormal does, from example a instead of 0; the first
// within the bounds counts. After kTruncatedNormalAttempts the last one is taken
// to the nearer bound. Requires: least <= most; bounds that a good part of the
// distribution is within (torch's are 2 standard deviations).
inline constexpr int kTruncatedNormalAttempts = 64;
void InitializeTruncatedNormal(const InitialValueKey& key, float mean, float standard_deviation,
                               float least, float most, autograd::Variable parameter);

// Uniform with bound gain * sqrt(6 / (fan in + fan out)).
// Source: Glorot, Bengio, AISTATS 2010.
void InitializeXavierUniform(const InitialValueKey& key, double gain, autograd::Variable parameter);
// Normal with standard deviation gain * sqrt(2 / (fan in + fan out)).
void InitializeXavierNormal(const InitialValueKey& key, double gain, autograd::Variable parameter);

// Uniform with bound sqrt(3) * (gain / sqrt(fan)). For a relu gain is sqrt(2),
// for a leaky one sqrt(2 / (1 + slope^2)). Source: He and others, ICCV 2015.
void InitializeKaimingUniform(const InitialValueKey& key, double gain, FanMode mode,
                              autograd::Variable parameter);
// Normal with standard deviation gain / sqrt(fan).
void InitializeKaimingNormal(const InitialValueKey& key, double gain, FanMode mode,
                             autograd::Variable parameter);

// gain * Q, Q with orthonormal rows or columns, whichever are fewer; as a matrix
// the parameter is [first axis, all others]. Requires: rank >= 2.
// Order, float64: the vectors are the rows (or columns) of InitializeNormal's
// values (mean 0, standard deviation 1). For each, ascending: twice, for every
// finished vector q ascending, v = v - (q . v) * q; then v / sqrt(v . v). A
// product a . b has 4 lanes from +0, lane i mod 4 adding a[i] * b[i] (no fma),
// and is (lane 0 + lane 1) + (lane 2 + lane 3). At last gain * v is rounded to
// float32. Source: Saxe, McClelland, Ganguli, ICLR 2014 (as torch, whose R has a
// positive diagonal).
void InitializeOrthogonal(const InitialValueKey& key, double gain, autograd::Variable parameter);

}  // namespace lockstep::nn

#endif  // LOCKSTEP_ENGINE_NN_INITIALIZERS_H_
