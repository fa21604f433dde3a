// A layer that Lockstep does not have: y = W2 (silu(W1 x) * (W3 x)), the
// feed-forward layer of many language models (Shazeer, 2020: GLU Variants
// Improve Transformer). Its forward pass is made of autograd's operations, so
// its gradients, their shard tree and its bits on any number of workers and
// threads come by themselves.
#ifndef LOCKSTEP_EXAMPLES_CUSTOM_MODEL_SWIGLU_H_
#define LOCKSTEP_EXAMPLES_CUSTOM_MODEL_SWIGLU_H_

#include <string>
#include <vector>

#include "engine/model/layer_registry.h"
#include "engine/nn/linear.h"
#include "engine/nn/module.h"

namespace custom_model {

class SwiGlu : public lockstep::nn::Module {
 public:
  SwiGlu(int64_t width, int64_t hidden);

  lockstep::autograd::Variable Forward(const lockstep::autograd::Variable& input) const override;
  // Any shape whose last axis is `width`, unchanged.
  absl::StatusOr<lockstep::Shape> OutputShape(const lockstep::Shape& example) const override;
  // "w1.weight" [hidden, width], "w2.weight" [width, hidden], "w3.weight".
  std::vector<lockstep::nn::NamedParameter> NamedParameters() const override;
  void Initialize(uint64_t key, uint64_t first_parameter) override;
  // Each operation of Forward does.
  bool SupportsShardCuts() const override { return true; }
  std::string Describe() const override;

 private:
  lockstep::nn::Linear w1_, w2_, w3_;
};

// What client, server and worker of this example are given: "swiglu", with the
// option `hidden`.
lockstep::LayerRegistry Layers();

}  // namespace custom_model

#endif  // LOCKSTEP_EXAMPLES_CUSTOM_MODEL_SWIGLU_H_
