// Self-attention of several heads, as torch.nn.MultiheadAttention with
// batch_first and one input for query, key and value.
#ifndef LOCKSTEP_ENGINE_NN_MULTIHEAD_ATTENTION_H_
#define LOCKSTEP_ENGINE_NN_MULTIHEAD_ATTENTION_H_

#include <mutex>

#include "engine/autograd/attention_ops.h"
#include "engine/nn/dropout.h"
#include "engine/nn/linear.h"
#include "engine/nn/module.h"

namespace lockstep::nn {

class MultiheadAttention : public Module {
 public:
  struct Options {
    bool causal = false;  // position i sees positions 0 to i
    bool bias = true;     // of both projections
    // Rotary position embedding with this base (10000 is usual); 0: none.
    double rotary_base = 0;
    // Of the output's elements, in training (torch drops attention weights
    // instead, which never stand in memory here).
    float dropout = 0;
  };

  // Requires: embed_dim a multiple of num_heads, num_heads >= 1; with rotary
  // embedding an even embed_dim / num_heads.
  MultiheadAttention(int64_t embed_dim, int64_t num_heads, const Options& options);

  // Shapes: [n, positions, embed_dim] in and out.
  autograd::Variable Forward(const autograd::Variable& input) const override;
  absl::StatusOr<Shape> OutputShape(const Shape& example_shape) const override;
  // "in_proj_weight" [3 embed_dim, embed_dim], "in_proj_bias", "out_proj.weight"
  // [embed_dim, embed_dim], "out_proj.bias".
  std::vector<NamedParameter> NamedParameters() const override;
  // in_proj_weight by Xavier's uniform rule, out_proj.weight as a Linear's, the
  // biases 0, as torch.
  void Initialize(uint64_t key, uint64_t first_parameter = 0) override;
  bool SupportsShardCuts() const override { return true; }
  std::string Describe() const override;

 private:
  // Of at least `positions` positions; kept for the next call.
  autograd::RotaryEmbedding Rotary(int64_t positions, DType dtype) const;

  const int64_t embed_dim_;
  const int64_t num_heads_;
  const Options options_;
  autograd::Variable in_proj_weight_;
  autograd::Variable in_proj_bias_;  // undefined where there is none
  Linear out_proj_;
  Dropout dropout_;
  mutable std::mutex mutex_;  // of rotary_: Forward may run on several threads
  mutable autograd::RotaryEmbedding rotary_;
};

}  // namespace lockstep::nn

#endif  // LOCKSTEP_ENGINE_NN_MULTIHEAD_ATTENTION_H_
