// The definition of attention.h, one element after another. With T = float the
// fast kernels are equal to it in every bit; with T = double it is what
// computes.
#ifndef LOCKSTEP_ENGINE_KERNELS_REFERENCE_ATTENTION_H_
#define LOCKSTEP_ENGINE_KERNELS_REFERENCE_ATTENTION_H_

#include <cmath>
#include <cstdint>
#include <vector>

#include "engine/kernels/attention.h"
#include "engine/kernels/reference/transcendental.h"

namespace lockstep::kernels::reference {

// The 16 lanes of reduce.h over element(0), ..., element(size - 1).
template <class T, class F>
T LaneSum(int64_t size, const F& element) {
  T lanes[16] = {};
  for (int64_t i = 0; i < size; ++i) lanes[i % 16] = lanes[i % 16] + element(i);
  for (int width = 8; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) lanes[i] = lanes[i] + lanes[i + width];
  }
  return lanes[0];
}

template <class T>
T AttentionScale(int64_t head_dim) {
  return static_cast<T>(1.0 / std::sqrt(static_cast<double>(head_dim)));
}

// One head of one example: part 0, 1, 2 is q, k, v.
template <class T>
std::vector<T> AttentionPart(const AttentionExtents& e, const RotaryTableOf<T>& rotary,
                             const T* qkv, int64_t example, int64_t head, int part) {
  std::vector<T> rows(e.positions * e.head_dim);
  const int64_t half = e.head_dim / 2;
  for (int64_t i = 0; i < e.positions; ++i) {
    const T* x = qkv + (((example * e.positions + i) * 3 + part) * e.heads + head) * e.head_dim;
    T* y = rows.data() + i * e.head_dim;
    for (int64_t c = 0; c < e.head_dim; ++c) y[c] = x[c];
    if (rotary.cosines == nullptr || part == 2) continue;
    for (int64_t c = 0; c < half; ++c) {
      const T w = rotary.cosines[i * half + c], z = rotary.sines[i * half + c];
      y[c] = std::fma(-x[c + half], z, x[c] * w);
      y[c + half] = std::fma(x[c], z, x[c + half] * w);
    }
  }
  return rows;
}

template <class T>
void StoreAttentionPart(const AttentionExtents& e, const RotaryTableOf<T>& rotary,
                        const std::vector<T>& rows, int64_t example, int64_t head, int part,
                        T* dqkv) {
  const int64_t half = e.head_dim / 2;
  for (int64_t i = 0; i < e.positions; ++i) {
    const T* y = rows.data() + i * e.head_dim;
    T* x = dqkv + (((example * e.positions + i) * 3 + part) * e.heads + head) * e.head_dim;
    for (int64_t c = 0; c < e.head_dim; ++c) x[c] = y[c];
    if (rotary.cosines == nullptr || part == 2) continue;
    for (int64_t c = 0; c < half; ++c) {
      const T w = rotary.cosines[i * half + c], z = rotary.sines[i * half + c];
      x[c] = std::fma(y[c + half], z, y[c] * w);
      x[c + half] = std::fma(-y[c], z, y[c + half] * w);
    }
  }
}

// s[j] of row i, for its `seen` columns.
template <class T>
std::vector<T> AttentionScores(int64_t head_dim, const T* q, const std::vector<T>& k,
                               int64_t seen) {
  std::vector<T> s(seen);
  for (int64_t j = 0; j < seen; ++j) {
    T sum = 0;
    for (int64_t c = 0; c < head_dim; ++c) sum = std::fma(q[c], k[j * head_dim + c], sum);
    s[j] = sum * AttentionScale<T>(head_dim);
  }
  return s;
}

template <class T>
void Attention(const AttentionExtents& e, RotaryTableOf<T> rotary, const T* qkv, T* out,
               T* statistics) {
  const int64_t d = e.head_dim;
  for (int64_t head_index = 0; head_index < e.examples * e.heads; ++head_index) {
    const int64_t example = head_index / e.heads, head = head_index % e.heads;
    const std::vector<T> q = AttentionPart(e, rotary, qkv, example, head, 0);
    const std::vector<T> k = AttentionPart(e, rotary, qkv, example, head, 1);
    const std::vector<T> v = AttentionPart(e, rotary, qkv, example, head, 2);
    for (int64_t i = 0; i < e.positions; ++i) {
      const int64_t seen = e.causal ? i + 1 : e.positions;
      std::vector<T> p = AttentionScores(d, q.data() + i * d, k, seen);
      T maximum = p[0];
      for (T s : p) maximum = s > maximum || s != s ? s : maximum;
      for (T& s : p) s = Exp(s - maximum);
      const T sum = LaneSum<T>(seen, [&](int64_t j) { return p[j]; });
      for (T& s : p) s = s / sum;
      statistics[(head_index * e.positions + i) * 2] = maximum;
      statistics[(head_index * e.positions + i) * 2 + 1] = sum;
      for (int64_t c = 0; c < d; ++c) {
        T chain = 0;
        for (int64_t j = 0; j < seen; ++j) chain = std::fma(p[j], v[j * d + c], chain);
        out[((example * e.positions + i) * e.heads + head) * d + c] = chain;
      }
    }
  }
}

template <class T>
void AttentionBackward(const AttentionExtents& e, RotaryTableOf<T> rotary, const T* qkv,
                       const T* out, const T* statistics, const T* dout, T* dqkv) {
  const int64_t d = e.head_dim;
  for (int64_t head_index = 0; head_index < e.examples * e.heads; ++head_index) {
    const int64_t example = head_index / e.heads, head = head_index % e.heads;
    const std::vector<T> q = AttentionPart(e, rotary, qkv, example, head, 0);
    const std::vector<T> k = AttentionPart(e, rotary, qkv, example, head, 1);
    const std::vector<T> v = AttentionPart(e, rotary, qkv, example, head, 2);
    std::vector<T> dq(q.size()), dk(q.size()), dv(q.size());
    for (int64_t i = 0; i < e.positions; ++i) {
      const int64_t seen = e.causal ? i + 1 : e.positions;
      const std::vector<T> s = AttentionScores(d, q.data() + i * d, k, seen);
      const T* row = statistics + (head_index * e.positions + i) * 2;
      const T* dy = dout + ((example * e.positions + i) * e.heads + head) * d;
      const T* y = out + ((example * e.positions + i) * e.heads + head) * d;
      const T dot = LaneSum<T>(d, [&](int64_t c) { return dy[c] * y[c]; });
      for (int64_t j = 0; j < seen; ++j) {
        const T p = Exp(s[j] - row[0]) / row[1];
        T dp = 0;
        for (int64_t c = 0; c < d; ++c) dp = std::fma(dy[c], v[j * d + c], dp);
        const T ds = (p * (dp - dot)) * AttentionScale<T>(d);
        for (int64_t c = 0; c < d; ++c) {
          dq[i * d + c] = std::fma(ds, k[j * d + c], dq[i * d + c]);
          dk[j * d + c] = std::fma(ds, q[i * d + c], dk[j * d + c]);
          dv[j * d + c] = std::fma(p, dy[c], dv[j * d + c]);
        }
      }
    }
    StoreAttentionPart(e, rotary, dq, example, head, 0, dqkv);
    StoreAttentionPart(e, rotary, dk, example, head, 1, dqkv);
    StoreAttentionPart(e, rotary, dv, example, head, 2, dqkv);
  }
}

}  // namespace lockstep::kernels::reference

#endif  // LOCKSTEP_ENGINE_KERNELS_REFERENCE_ATTENTION_H_
