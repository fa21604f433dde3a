// A layer of a transformer that normalises before each part, as GPT-2's:
//   x = x + attn(ln_1(x));  x = x + mlp(ln_2(x))
// with mlp = Linear(width, mlp_ratio * width), activation, Linear back.
#ifndef LOCKSTEP_ENGINE_NN_TRANSFORMER_BLOCK_H_
#define LOCKSTEP_ENGINE_NN_TRANSFORMER_BLOCK_H_

#include <memory>

#include "engine/nn/module.h"
#include "engine/nn/multihead_attention.h"

namespace lockstep::nn {

class TransformerBlock : public Module {
 public:
  enum class Norm { kLayer, kRms };
  enum class Activation { kGelu, kGeluTanh, kRelu, kSilu };

  struct Options {
    int64_t mlp_ratio = 4;
    Norm norm = Norm::kLayer;
    Activation activation = Activation::kGelu;
    // Its dropout is that of the attention's output.
    MultiheadAttention::Options attention = {/*causal=*/true, /*bias=*/true, /*rotary_base=*/0,
                                             /*dropout=*/0};
    float mlp_dropout = 0;  // of the mlp's output
  };

  // Requires: as MultiheadAttention; mlp_ratio >= 1.
  TransformerBlock(int64_t width, int64_t heads, const Options& options);

  // Shapes: [n, positions, width] in and out.
  autograd::Variable Forward(const autograd::Variable& input) const override;
  absl::StatusOr<Shape> OutputShape(const Shape& example_shape) const override;
  // "ln_1.weight", ..., "attn.in_proj_weight", ..., "ln_2.weight", ...,
  // "mlp.0.weight", "mlp.0.bias", "mlp.2.weight", "mlp.2.bias".
  std::vector<NamedParameter> NamedParameters() const override;
  void Initialize(uint64_t key, uint64_t first_parameter = 0) override;
  bool SupportsShardCuts() const override { return true; }
  std::string Describe() const override;

 private:
  struct Child {
    const char* name;
    std::shared_ptr<Module> module;
  };
  std::vector<Child> children_;  // ln_1, attn, ln_2, mlp
};

}  // namespace lockstep::nn

#endif  // LOCKSTEP_ENGINE_NN_TRANSFORMER_BLOCK_H_
