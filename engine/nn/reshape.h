// Another arrangement of an example's elements, in the same order.
#ifndef LOCKSTEP_ENGINE_NN_RESHAPE_H_
#define LOCKSTEP_ENGINE_NN_RESHAPE_H_

#include <memory>
#include <string>
#include <vector>

#include "engine/nn/module.h"

namespace lockstep::nn {

// As torch.nn.Unflatten(1, shape) does with one axis, from any shape.
class Reshape : public Module {
 public:
  // One example's shape; one extent may be -1: what is left over.
  explicit Reshape(Shape shape) : shape_(std::move(shape)) {}

  autograd::Variable Forward(const autograd::Variable& input) const override;
  absl::StatusOr<Shape> OutputShape(const Shape& example_shape) const override;
  void Initialize(uint64_t, uint64_t) override {}
  bool SupportsShardCuts() const override { return true; }
  std::string Describe() const override { return "Reshape(shape=" + shape_.ToString() + ")"; }

 private:
  const Shape shape_;
};

// Gives `layer`, which wants channels first, examples that have no axis of
// channels ([height, width]) as examples of one channel ([1, height, width]).
// It is as if `layer` stood alone: its names, its Describe.
class OneChannel : public Module {
 public:
  explicit OneChannel(std::shared_ptr<Module> layer) : layer_(std::move(layer)) {}

  autograd::Variable Forward(const autograd::Variable& input) const override;
  absl::StatusOr<Shape> OutputShape(const Shape& example_shape) const override;
  std::vector<NamedParameter> NamedParameters() const override { return layer_->NamedParameters(); }
  void Initialize(uint64_t key, uint64_t first_parameter = 0) override {
    layer_->Initialize(key, first_parameter);
  }
  bool SupportsShardCuts() const override { return layer_->SupportsShardCuts(); }
  std::string Describe() const override { return layer_->Describe(); }

 private:
  const std::shared_ptr<Module> layer_;
};

}  // namespace lockstep::nn

#endif  // LOCKSTEP_ENGINE_NN_RESHAPE_H_
