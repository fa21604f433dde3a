// The definition of recurrent.h, one element after another. With T = float the
// fast kernels are equal to it in every bit; with T = double it is what
// computes.
#ifndef LOCKSTEP_ENGINE_KERNELS_REFERENCE_RECURRENT_H_
#define LOCKSTEP_ENGINE_KERNELS_REFERENCE_RECURRENT_H_

#include <cmath>
#include <cstdint>
#include <vector>

#include "engine/kernels/recurrent.h"
#include "engine/kernels/reference/transcendental.h"

namespace lockstep::kernels::reference {

template <class T>
void Recurrent(const RecurrentExtents& e, const T* input, const T* weight, const T* bias, T* output,
               T* saved_gates, T* saved_state) {
  const int64_t h = e.hidden, width = e.gates() * h;
  const bool lstm = e.cell == RecurrentCell::kLstm;
  std::vector<T> before(h), cell(h), r(width), gates(width), state(h);
  for (int64_t example = 0; example < e.examples; ++example) {
    before.assign(h, 0);
    cell.assign(h, 0);
    for (int64_t t = 0; t < e.times; ++t) {
      const int64_t at = example * e.times + t;
      const T* x = input + at * width;
      for (int64_t g = 0; g < width; ++g) {
        r[g] = 0;
        for (int64_t k = 0; k < h; ++k) r[g] = std::fma(before[k], weight[g * h + k], r[g]);
        if (bias != nullptr) r[g] = r[g] + bias[g];
      }
      for (int64_t u = 0; u < h; ++u) {
        const T first = Sigmoid(x[u] + r[u]), second = Sigmoid(x[h + u] + r[h + u]);
        gates[u] = first;
        gates[h + u] = second;
        if (lstm) {
          const T g = Tanh(x[2 * h + u] + r[2 * h + u]);
          const T o = Sigmoid(x[3 * h + u] + r[3 * h + u]);
          gates[2 * h + u] = g;
          gates[3 * h + u] = o;
          cell[u] = std::fma(second, cell[u], first * g);
          state[u] = cell[u];
          before[u] = o * Tanh(cell[u]);
        } else {
          const T n = Tanh(std::fma(first, r[2 * h + u], x[2 * h + u]));
          gates[2 * h + u] = n;
          state[u] = r[2 * h + u];
          before[u] = std::fma(second, before[u] - n, n);
        }
        output[at * h + u] = before[u];
      }
      if (saved_gates == nullptr) continue;
      for (int64_t g = 0; g < width; ++g) saved_gates[at * width + g] = gates[g];
      for (int64_t u = 0; u < h; ++u) saved_state[at * h + u] = state[u];
    }
  }
}

template <class T>
void RecurrentBackward(const RecurrentExtents& e, const T* weight, const T* output,
                       const T* saved_gates, const T* saved_state, const T* dout, T* dinput,
                       T* drecurrent) {
  const int64_t h = e.hidden, width = e.gates() * h;
  const bool lstm = e.cell == RecurrentCell::kLstm;
  const auto sigmoid_slope = [](T s) { return s * (1 - s); };
  const auto tanh_slope = [](T w) { return std::fma(-w, w, T{1}); };
  std::vector<T> carried(h), dcell(h), dr(width);
  for (int64_t example = 0; example < e.examples; ++example) {
    dcell.assign(h, 0);
    for (int64_t t = e.times - 1; t >= 0; --t) {
      const int64_t at = example * e.times + t;
      const T* gate = saved_gates + at * width;
      T* dx = dinput + at * width;
      for (int64_t u = 0; u < h; ++u) {
        const T dy = t + 1 == e.times ? dout[at * h + u] : dout[at * h + u] + carried[u];
        if (lstm) {
          const T i = gate[u], f = gate[h + u], g = gate[2 * h + u], o = gate[3 * h + u];
          const T w = Tanh(saved_state[at * h + u]);
          const T before = t > 0 ? saved_state[(at - 1) * h + u] : T{0};
          const T dc = std::fma(dy * o, tanh_slope(w), dcell[u]);
          dx[u] = (dc * g) * sigmoid_slope(i);
          dx[h + u] = (dc * before) * sigmoid_slope(f);
          dx[2 * h + u] = (dc * i) * tanh_slope(g);
          dx[3 * h + u] = (dy * w) * sigmoid_slope(o);
          dcell[u] = dc * f;
        } else {
          const T r = gate[u], z = gate[h + u], n = gate[2 * h + u];
          const T before = t > 0 ? output[(at - 1) * h + u] : T{0};
          const T dn = (dy * (1 - z)) * tanh_slope(n);
          dx[u] = (dn * saved_state[at * h + u]) * sigmoid_slope(r);
          dx[h + u] = (dy * (before - n)) * sigmoid_slope(z);
          dx[2 * h + u] = dn;
          dr[2 * h + u] = dn * r;
          dcell[u] = dy * z;  // what reaches y[t-1] past the gates
        }
      }
      for (int64_t g = 0; g < (lstm ? 4 : 2) * h; ++g) dr[g] = dx[g];
      for (int64_t k = 0; k < h; ++k) {
        carried[k] = 0;
        for (int64_t g = 0; g < width; ++g) {
          carried[k] = std::fma(dr[g], weight[g * h + k], carried[k]);
        }
        if (!lstm) carried[k] = carried[k] + dcell[k];
      }
      if (drecurrent == nullptr) continue;
      for (int64_t g = 0; g < width; ++g) drecurrent[at * width + g] = dr[g];
    }
  }
}

}  // namespace lockstep::kernels::reference

#endif  // LOCKSTEP_ENGINE_KERNELS_REFERENCE_RECURRENT_H_
