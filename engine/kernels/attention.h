// Scaled dot-product attention in canonical arithmetic (docs/arithmetic.md),
// forward and backward, in memory that is linear in the number of positions:
// scores exist for a block of rows at a time, never [positions, positions].
//
// Order, for row i and the columns j that it may see (all; causal: j <= i),
// always ascending; a column that it may not see takes no part at all:
//   scale = 1 / sqrt(head_dim)    (float64, rounded to float32 once)
//   s[j] = (chain over c of fma(q[i,c], k[j,c], .)) * scale
//   m = the greatest s[j];  e[j] = Exp(s[j] - m)
//   sum = the row sum (reduce.h, 16 lanes) of e;  p[j] = e[j] / sum
//   out[i,c] = chain over j of fma(p[j], v[j,c], .)
// Backward, from m and sum, with p computed again:
//   D = the row sum over c of dout[i,c] * out[i,c]
//   dp[j] = chain over c of fma(dout[i,c], v[j,c], .)
//   ds[j] = (p[j] * (dp[j] - D)) * scale
//   dq[i,c] = chain over j of fma(ds[j], k[j,c], .)
//   dk[j,c] = chain over i of fma(ds[i,j], q[i,c], .)
//   dv[j,c] = chain over i of fma(p[i,j], dout[i,c], .)
// Chains start at +0. Where a row has a NaN, all of its results are NaN.
//
// Rotary embedding: with a table, q and k are rotated before all this, and dq
// and dk are rotated back after it. Pairs are (c, c + head_dim / 2), as in
// GPT-NeoX and Llama. At position i, h = head_dim / 2, w, z = cosine, sine [i,c]:
//   rotated[c] = fma(-x[c+h], z, x[c] * w);  rotated[c+h] = fma(x[c], z, x[c+h] * w)
//   back:  dx[c] = fma(dy[c+h], z, dy[c] * w);  dx[c+h] = fma(-dy[c], z, dy[c+h] * w)
// Threads: any thread; splits its work over OpenMP's.
#ifndef LOCKSTEP_ENGINE_KERNELS_ATTENTION_H_
#define LOCKSTEP_ENGINE_KERNELS_ATTENTION_H_

#include <cstdint>

namespace lockstep::kernels {

struct AttentionExtents {
  int64_t examples = 0;
  int64_t positions = 0;
  int64_t heads = 1;
  int64_t head_dim = 1;
  bool causal = false;
};

// Shapes: both [positions, head_dim / 2]; null: no rotation.
// Requires with a table: an even head_dim.
template <class T>
struct RotaryTableOf {
  const T* cosines = nullptr;
  const T* sines = nullptr;
};
using RotaryTable = RotaryTableOf<float>;

// Shapes: qkv [examples, positions, 3, heads, head_dim], q, k and v in this
// order; out [examples, positions, heads, head_dim]; statistics [examples,
// heads, positions, 2], each row's m and sum, for AttentionBackward alone.
void Attention(const AttentionExtents& extents, RotaryTable rotary, const float* qkv, float* out,
               float* statistics);
// By plain loops, as all of float64.
void Attention(const AttentionExtents& extents, RotaryTableOf<double> rotary, const double* qkv,
               double* out, double* statistics);

// Shapes: as above, out and statistics from Attention; dout like out, dqkv like qkv.
void AttentionBackward(const AttentionExtents& extents, RotaryTable rotary, const float* qkv,
                       const float* out, const float* statistics, const float* dout, float* dqkv);
void AttentionBackward(const AttentionExtents& extents, RotaryTableOf<double> rotary,
                       const double* qkv, const double* out, const double* statistics,
                       const double* dout, double* dqkv);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_ATTENTION_H_
