// A table of vectors looked up by index, as torch.nn.Embedding.
#ifndef LOCKSTEP_ENGINE_NN_EMBEDDING_H_
#define LOCKSTEP_ENGINE_NN_EMBEDDING_H_

#include "engine/autograd/embedding_ops.h"
#include "engine/nn/module.h"

namespace lockstep::nn {

class Embedding : public Module {
 public:
  // Entry `padding_index` starts at 0 and gets no gradient. Requires: both
  // sizes >= 1, padding_index below num_embeddings.
  Embedding(int64_t num_embeddings, int64_t embedding_dim,
            int64_t padding_index = autograd::kNoPadding);

  // `input`: int64 indices [batch, axes...], each in [0, num_embeddings); the
  // output has one more axis. Aborts for another dtype or index.
  autograd::Variable Forward(const autograd::Variable& input) const override;
  absl::StatusOr<Shape> OutputShape(const Shape& example_shape) const override;
  // "weight" [num_embeddings, embedding_dim].
  std::vector<NamedParameter> NamedParameters() const override;
  // Normal, mean 0 and standard deviation 1.
  void Initialize(uint64_t key, uint64_t first_parameter = 0) override;
  bool SupportsShardCuts() const override { return true; }
  std::string Describe() const override;

  int64_t num_embeddings() const { return num_embeddings_; }
  int64_t embedding_dim() const { return embedding_dim_; }
  const autograd::Variable& weight() const { return weight_; }

 private:
  const int64_t num_embeddings_;
  const int64_t embedding_dim_;
  const int64_t padding_index_;
  autograd::Variable weight_;
};

}  // namespace lockstep::nn

#endif  // LOCKSTEP_ENGINE_NN_EMBEDDING_H_
