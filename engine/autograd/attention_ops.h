// Attention with gradients.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_ATTENTION_OPS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_ATTENTION_OPS_H_

#include "engine/autograd/variable.h"

namespace lockstep::autograd {

// Cosines and sines of the angles by which rotary embedding turns q and k.
struct RotaryEmbedding {
  Tensor cosines;  // [positions, head_dim / 2]
  Tensor sines;

  // Requires: an even head_dim, base > 0 (10000 is usual), float32 or float64.
  // Order: kernels::FillRotaryTable.
  static RotaryEmbedding Make(int64_t positions, int64_t head_dim, double base,
                              DType dtype = DType::kFloat32);
};

struct SelfAttentionOptions {
  int64_t heads = 1;
  bool causal = false;  // position i sees positions 0 to i
  // Null: no rotation. Requires: at least as many positions as the input,
  // of its dtype.
  const RotaryEmbedding* rotary = nullptr;
};

// softmax(q k^T / sqrt(head_dim)) v for each head of each example, as
// torch.nn.functional.scaled_dot_product_attention.
// Shapes: qkv [n, positions, 3 * width], q, k and v one after another, each
// [heads, head_dim] with width = heads * head_dim, which is how
// torch.nn.MultiheadAttention projects them; result [n, positions, width].
// Aborts, naming the shape, where it does not fit. Memory is linear in
// positions, also in training. Order: kernels::Attention.
Variable SelfAttention(const Variable& qkv, const SelfAttentionOptions& options);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_ATTENTION_OPS_H_
