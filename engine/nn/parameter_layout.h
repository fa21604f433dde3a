// How a model's parameters lie in one flat float32 vector: the form in which
// gradients travel, optimizers update and checkpoints are cut. The layout
// depends on the names and shapes alone, so every process has the same.
#ifndef LOCKSTEP_ENGINE_NN_PARAMETER_LAYOUT_H_
#define LOCKSTEP_ENGINE_NN_PARAMETER_LAYOUT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "engine/nn/module.h"
#include "engine/shape.h"
#include "engine/tensor.h"

namespace lockstep::nn {

// Parameters begin at multiples of this many elements: 64 bytes, one cache
// line and one AVX-512 register.
inline constexpr int64_t kParameterAlignmentElements = 16;

struct ParameterSlot {
  std::string name;
  Shape shape;
  int64_t offset_elements = 0;  // a multiple of kParameterAlignmentElements
  int64_t element_count = 0;
  ParameterKind kind = ParameterKind::kTrained;
  float momentum = 0;  // of a running statistic (module.h)
};

class ParameterLayout {
 public:
  // No parameters.
  ParameterLayout() = default;
  // In this order, each at the next aligned place.
  explicit ParameterLayout(const std::vector<std::pair<std::string, Shape>>& parameters);
  // Of the module's named parameters, in forward order.
  static ParameterLayout Of(const Module& module);

  const std::vector<ParameterSlot>& slots() const { return slots_; }
  // Length of the flat vector, a multiple of kParameterAlignmentElements. The
  // elements between parameters are zero and stay zero: their gradients are.
  int64_t total_elements() const { return total_elements_; }

  // Slot `i` of `flat`, sharing its elements.
  // Requires: flat is [total_elements()], float32.
  Tensor View(const Tensor& flat, int i) const;
  // All slots.
  std::vector<Tensor> Views(const Tensor& flat) const;

 private:
  std::vector<ParameterSlot> slots_;
  int64_t total_elements_ = 0;
};

// What follows requires a module with the layout's parameters and flat
// tensors of [layout.total_elements()], float32.

// A module's parameters in the layout's order, looked up once: for what is done
// in every step.
class BoundParameters {
 public:
  // `layout` outlives this.
  BoundParameters(const Module& module, const ParameterLayout& layout);

  // As BindParameters and BindGradients below.
  void SetValues(const Tensor& flat);
  void SetGradientBuffers(const Tensor& flat);
  // Ends the latter: gradients and their memory are let go.
  void ReleaseGradientBuffers();

 private:
  const ParameterLayout* layout_;
  std::vector<autograd::Variable> variables_;
};

// A new flat vector with the module's present parameters; padding zero.
Tensor CopyParameters(const Module& module, const ParameterLayout& layout);
// Lets the module's parameters be views of `flat` from now on (no copy).
void BindParameters(const Module& module, const ParameterLayout& layout, const Tensor& flat);
// Lets Backward write gradients into views of `flat` (no copy). Padding is not
// written: make `flat` with Tensor::Zeros.
void BindGradients(const Module& module, const ParameterLayout& layout, const Tensor& flat);

}  // namespace lockstep::nn

#endif  // LOCKSTEP_ENGINE_NN_PARAMETER_LAYOUT_H_
