#include "engine/nn/parameter_layout.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/check.h"

namespace lockstep::nn {
namespace {

// The module's parameters, each of which must be the slot of the same place.
std::vector<NamedParameter> CheckedParameters(const Module& module, const ParameterLayout& layout) {
  std::vector<NamedParameter> parameters = module.NamedParameters();
  LOCKSTEP_CHECK_EQ(parameters.size(), layout.slots().size());
  for (size_t i = 0; i < parameters.size(); ++i) {
    const ParameterSlot& slot = layout.slots()[i];
    LOCKSTEP_CHECK_EQ(parameters[i].name, slot.name);
    LOCKSTEP_CHECK(
        parameters[i].variable.shape() == slot.shape,
        absl::StrCat(slot.name, ": got shape ", parameters[i].variable.shape().ToString(),
                     ", want ", slot.shape.ToString()));
  }
  return parameters;
}

}  // namespace

ParameterLayout::ParameterLayout(const std::vector<std::pair<std::string, Shape>>& parameters) {
  for (const auto& [name, shape] : parameters) {
    const int64_t count = shape.element_count();
    ParameterSlot slot;
    slot.name = name;
    slot.shape = shape;
    slot.offset_elements = total_elements_;
    slot.element_count = count;
    slots_.push_back(std::move(slot));
    const int64_t aligned = (count + kParameterAlignmentElements - 1) /
                            kParameterAlignmentElements * kParameterAlignmentElements;
    total_elements_ += aligned;
  }
}

ParameterLayout ParameterLayout::Of(const Module& module) {
  const std::vector<NamedParameter> parameters = module.NamedParameters();
  std::vector<std::pair<std::string, Shape>> shapes;
  for (const NamedParameter& parameter : parameters) {
    shapes.emplace_back(parameter.name, parameter.variable.shape());
  }
  ParameterLayout layout(shapes);
  for (size_t i = 0; i < parameters.size(); ++i) {
    layout.slots_[i].kind = parameters[i].kind;
    layout.slots_[i].momentum = parameters[i].momentum;
  }
  return layout;
}

Tensor ParameterLayout::View(const Tensor& flat, int i) const {
  LOCKSTEP_CHECK(flat.shape() == Shape{total_elements_},
                 absl::StrCat("flat parameters: got shape ", flat.shape().ToString(), ", want [",
                              total_elements_, "]"));
  const ParameterSlot& slot = slots_[i];
  const int64_t end = slot.offset_elements + slot.element_count;
  return flat.Rows(slot.offset_elements, end).Reshape(slot.shape);
}

std::vector<Tensor> ParameterLayout::Views(const Tensor& flat) const {
  std::vector<Tensor> views;
  for (size_t i = 0; i < slots_.size(); ++i) views.push_back(View(flat, static_cast<int>(i)));
  return views;
}

Tensor CopyParameters(const Module& module, const ParameterLayout& layout) {
  const std::vector<NamedParameter> parameters = CheckedParameters(module, layout);
  Tensor flat = Tensor::Zeros({layout.total_elements()});
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Tensor& value = parameters[i].variable.value();
    std::memcpy(flat.data<float>() + layout.slots()[i].offset_elements, value.data<float>(),
                value.element_count() * sizeof(float));
  }
  return flat;
}

BoundParameters::BoundParameters(const Module& module, const ParameterLayout& layout)
    : layout_(&layout) {
  for (const NamedParameter& parameter : CheckedParameters(module, layout)) {
    variables_.push_back(parameter.variable);
  }
}

void BoundParameters::SetValues(const Tensor& flat) {
  for (size_t i = 0; i < variables_.size(); ++i) {
    variables_[i].SetValue(layout_->View(flat, static_cast<int>(i)));
  }
}

void BoundParameters::SetGradientBuffers(const Tensor& flat) {
  for (size_t i = 0; i < variables_.size(); ++i) {
    variables_[i].SetGradientBuffer(layout_->View(flat, static_cast<int>(i)));
  }
}

void BoundParameters::ReleaseGradientBuffers() {
  for (autograd::Variable& variable : variables_) variable.SetGradientBuffer(Tensor());
}

void BindParameters(const Module& module, const ParameterLayout& layout, const Tensor& flat) {
  BoundParameters(module, layout).SetValues(flat);
}

void BindGradients(const Module& module, const ParameterLayout& layout, const Tensor& flat) {
  BoundParameters(module, layout).SetGradientBuffers(flat);
}

}  // namespace lockstep::nn
