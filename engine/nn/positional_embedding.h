// What tells positions of a sequence apart: a row per position added to every
// example's [length, width]. (Rotary embedding is attention's: attention_ops.h.)
#ifndef LOCKSTEP_ENGINE_NN_POSITIONAL_EMBEDDING_H_
#define LOCKSTEP_ENGINE_NN_POSITIONAL_EMBEDDING_H_

#include <mutex>

#include "engine/nn/module.h"

namespace lockstep::nn {

// Examples [length, width], length up to the context, unchanged in shape.
class PositionalEmbedding : public Module {
 public:
  absl::StatusOr<Shape> OutputShape(const Shape& example_shape) const override;
  bool SupportsShardCuts() const override { return true; }

 protected:
  // Requires: both >= 1.
  PositionalEmbedding(int64_t context, int64_t width);

  const int64_t context_;
  const int64_t width_;
};

// A trained table.
class LearnedPositionalEmbedding : public PositionalEmbedding {
 public:
  LearnedPositionalEmbedding(int64_t context, int64_t width);

  autograd::Variable Forward(const autograd::Variable& input) const override;
  // "weight" [context, width].
  std::vector<NamedParameter> NamedParameters() const override;
  // Normal, mean 0 and standard deviation 0.02, as GPT-2's.
  void Initialize(uint64_t key, uint64_t first_parameter = 0) override;
  std::string Describe() const override;

 private:
  autograd::Variable weight_;
};

// A fixed table: at position p, columns 2c and 2c + 1, the sine and cosine of
// p * 10000^(-2c / width). Source: Vaswani and others, NIPS 2017, section 3.5.
class SinusoidalPositionalEmbedding : public PositionalEmbedding {
 public:
  // Requires: an even width.
  SinusoidalPositionalEmbedding(int64_t context, int64_t width);

  autograd::Variable Forward(const autograd::Variable& input) const override;
  void Initialize(uint64_t, uint64_t) override {}
  std::string Describe() const override;

 private:
  // Made by the first Forward: a model that is only planned pays no memory.
  mutable std::once_flag table_once_;
  mutable autograd::Variable table_;
};

}  // namespace lockstep::nn

#endif  // LOCKSTEP_ENGINE_NN_POSITIONAL_EMBEDDING_H_
