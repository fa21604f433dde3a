// LSTM and GRU of one or more layers, as torch.nn.LSTM and torch.nn.GRU with
// batch_first; the state begins at 0.
#ifndef LOCKSTEP_ENGINE_NN_RECURRENT_H_
#define LOCKSTEP_ENGINE_NN_RECURRENT_H_

#include "engine/autograd/recurrent_ops.h"
#include "engine/nn/module.h"

namespace lockstep::nn {

struct RecurrentOptions {
  int64_t num_layers = 1;
  bool bias = true;
  // The output at the last time alone, [n, hidden_size].
  bool last_only = false;
};

// What LSTM and GRU have in common.
class RecurrentLayer : public Module {
 public:
  // Shapes: [n, times, input_size] to [n, times, hidden_size], or with last_only
  // [n, hidden_size].
  autograd::Variable Forward(const autograd::Variable& input) const override;
  absl::StatusOr<Shape> OutputShape(const Shape& example_shape) const override;
  // For layer l "weight_ih_l<l>", "weight_hh_l<l>", "bias_ih_l<l>", "bias_hh_l<l>".
  std::vector<NamedParameter> NamedParameters() const override;
  // Uniform in +-1/sqrt(hidden_size), all of them, as torch.
  void Initialize(uint64_t key, uint64_t first_parameter = 0) override;
  bool SupportsShardCuts() const override { return true; }
  std::string Describe() const override;

 protected:
  // Requires: sizes and num_layers >= 1.
  RecurrentLayer(kernels::RecurrentCell cell, int64_t input_size, int64_t hidden_size,
                 const RecurrentOptions& options);

 private:
  const kernels::RecurrentCell cell_;
  const int64_t input_size_;
  const int64_t hidden_size_;
  const RecurrentOptions options_;
  std::vector<autograd::RecurrentWeights> layers_;
};

class LSTM : public RecurrentLayer {
 public:
  LSTM(int64_t input_size, int64_t hidden_size, const RecurrentOptions& options = {})
      : RecurrentLayer(kernels::RecurrentCell::kLstm, input_size, hidden_size, options) {}
};

class GRU : public RecurrentLayer {
 public:
  GRU(int64_t input_size, int64_t hidden_size, const RecurrentOptions& options = {})
      : RecurrentLayer(kernels::RecurrentCell::kGru, input_size, hidden_size, options) {}
};

}  // namespace lockstep::nn

#endif  // LOCKSTEP_ENGINE_NN_RECURRENT_H_
