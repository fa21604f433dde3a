// The time loop of LSTM and GRU in canonical arithmetic (docs/arithmetic.md),
// one layer at a time. What does not hang on the time before, x W_ih^T + b_ih
// for all times, is an ordinary product and comes in as `input`.
//
// Order, at time t for a unit u of hidden size h; r[g] is the recurrent product
//   r[g, u] = (chain over k of fma(y[t-1, k], weight[g * h + u, k], .)) + bias[g * h + u]
// y[-1] and c[-1] are +0 and take part; + and * as written, fma only where it stands.
//   LSTM, gates i, f, g, o:   i = Sigmoid(input_i + r_i), f and o likewise
//     g = Tanh(input_g + r_g);  c = fma(f, c[t-1], i * g);  y = o * Tanh(c)
//   GRU, gates r, z, n:       r = Sigmoid(input_r + r_r), z likewise
//     n = Tanh(fma(r, r_n, input_n));  y = fma(z, y[t-1] - n, n)
// Backward, t descending, dy = dout[t] + what came from t + 1 (the last: dout
// alone), s' = s * (1 - s) and t' = fma(-t, t, 1):
//   LSTM: w = Tanh(c);  dc = fma(dy * o, t'(w), dc from t + 1 (the last: +0))
//     di = (dc * g) * i';  df = (dc * c[t-1]) * f';  dg = (dc * i) * t'(g)
//     do = (dy * w) * o';  dc to t - 1 = dc * f;  dinput = drecurrent = (di, df, dg, do)
//     dy to t - 1 = chain over all 4 h gates of fma(drecurrent, weight, .)
//   GRU: dn = (dy * (1 - z)) * t'(n);  dz = (dy * (y[t-1] - n)) * z'
//     dr = (dn * r_n) * r';  dinput = (dr, dz, dn);  drecurrent = (dr, dz, dn * r)
//     dy to t - 1 = (chain over all 3 h gates) + dy * z
// Threads: any thread; examples do not see each other and are what is shared out.
#ifndef LOCKSTEP_ENGINE_KERNELS_RECURRENT_H_
#define LOCKSTEP_ENGINE_KERNELS_RECURRENT_H_

#include <cstdint>

namespace lockstep::kernels {

enum class RecurrentCell { kLstm, kGru };

struct RecurrentExtents {
  RecurrentCell cell = RecurrentCell::kLstm;
  int64_t examples = 0;
  int64_t times = 0;
  int64_t hidden = 0;

  int64_t gates() const { return cell == RecurrentCell::kLstm ? 4 : 3; }
};

// Shapes: input [examples, times, gates * hidden], weight [gates * hidden,
// hidden], bias [gates * hidden] or null (nothing is added), output [examples,
// times, hidden]. For the backward, null where there will be none: saved_gates
// [examples, times, gates * hidden], after their functions, and saved_state
// [examples, times, hidden]: LSTM's c, GRU's r_n.
void Recurrent(const RecurrentExtents& extents, const float* input, const float* weight,
               const float* bias, float* output, float* saved_gates, float* saved_state);
// By plain loops, as all of float64.
void Recurrent(const RecurrentExtents& extents, const double* input, const double* weight,
               const double* bias, double* output, double* saved_gates, double* saved_state);

// Shapes: as above; dout like output, dinput and drecurrent like input.
// drecurrent may be null for LSTM, where it equals dinput.
void RecurrentBackward(const RecurrentExtents& extents, const float* weight, const float* output,
                       const float* saved_gates, const float* saved_state, const float* dout,
                       float* dinput, float* drecurrent);
void RecurrentBackward(const RecurrentExtents& extents, const double* weight, const double* output,
                       const double* saved_gates, const double* saved_state, const double* dout,
                       double* dinput, double* drecurrent);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_RECURRENT_H_
