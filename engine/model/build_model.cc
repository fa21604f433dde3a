#include "engine/model/build_model.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/model/check_loss.h"
#include "engine/model/field_error.h"
#include "engine/model/layer_builder.h"
#include "engine/model/layer_fields.h"
#include "engine/model/machine_memory.h"

namespace lockstep {
namespace {

// A model whose parameters have no memory yet.
struct ModelSketch {
  std::shared_ptr<nn::Sequential> model;
  ModelPlan plan;
  InitialValues initial_values;
};

// That there are parameters, and that all of them can be counted.
absl::Status CheckParameters(const nn::Module& model) {
  const std::vector<nn::NamedParameter> parameters = model.NamedParameters();
  if (parameters.empty()) {
    return FieldError("model",
                      "got no layer with parameters, want at least one, such as a linear layer");
  }
  // Each has 2^48 elements at most, and so have all but the last together.
  constexpr int64_t kMost = int64_t{1} << 48;
  int64_t elements = 0;
  for (const nn::NamedParameter& parameter : parameters) {
    elements += CheckedElementCount(parameter.variable.shape()).value_or(kMost + 1);
    if (elements > kMost) return FieldError("model", "got more than 2^48 parameters, want fewer");
  }
  return absl::OkStatus();
}

absl::StatusOr<ModelSketch> Sketch(const v1::JobSpec& given, const Shape& example_shape,
                                   const LayerRegistry& layers) {
  v1::JobSpec spec = given;
  FillLayerDefaults(&spec);
  if (const auto problems = CheckLayerFields(spec); !problems.empty()) {
    return FieldError(problems[0].path, problems[0].message);
  }
  if (!CheckedElementCount(example_shape).has_value()) {
    return FieldError("data", absl::StrCat("got examples of shape ", example_shape.ToString(),
                                           ", want 1 to 2^48 features"));
  }
  LayerBuilder builder(spec, layers);
  LayerInput features{example_shape, /*tokens=*/spec.data_summary().vocabulary() > 0};
  auto model = builder.Build(spec.model(), "model", &features);
  if (!model.ok()) return model.status();
  absl::Status status = CheckParameters(**model);
  if (status.ok()) status = CheckLossFits(spec, features.shape, builder.WidthPath());
  if (!status.ok()) return status;
  nn::ParameterLayout layout = nn::ParameterLayout::Of(**model);
  return ModelSketch{
      *std::move(model), {std::move(features.shape), std::move(layout)}, builder.initial_values()};
}

absl::Status CheckMemory(const nn::ParameterLayout& layout) {
  // The parameters that are built, those received, the next ones, a gradient.
  constexpr uint64_t kCopies = 4;
  const uint64_t bytes = static_cast<uint64_t>(layout.total_elements()) * sizeof(float);
  return CheckFitsMemory("model: training it", kCopies * bytes,
                         ReadMachineMemory().available_bytes);
}

absl::StatusOr<ModelSketch> SketchThatFits(const v1::JobSpec& spec, const Shape& example_shape,
                                           const LayerRegistry& layers) {
  absl::StatusOr<ModelSketch> sketch = Sketch(spec, example_shape, layers);
  if (!sketch.ok()) return sketch;
  const absl::Status status = CheckMemory(sketch->plan.layout);
  if (!status.ok()) return status;
  return sketch;
}

}  // namespace

absl::StatusOr<ModelPlan> PlanModel(const v1::JobSpec& spec, const Shape& example_shape,
                                    const LayerRegistry& layers) {
  absl::StatusOr<ModelSketch> sketch = Sketch(spec, example_shape, layers);
  if (!sketch.ok()) return sketch.status();
  return std::move(sketch->plan);
}

absl::StatusOr<std::shared_ptr<nn::Sequential>> BuildUnallocatedModel(const v1::JobSpec& spec,
                                                                      const Shape& example_shape,
                                                                      const LayerRegistry& layers) {
  absl::StatusOr<ModelSketch> sketch = SketchThatFits(spec, example_shape, layers);
  if (!sketch.ok()) return sketch.status();
  return std::move(sketch->model);
}

absl::StatusOr<std::shared_ptr<nn::Sequential>> BuildModel(const v1::JobSpec& spec,
                                                           const Shape& example_shape,
                                                           const LayerRegistry& layers) {
  absl::StatusOr<ModelSketch> sketch = SketchThatFits(spec, example_shape, layers);
  if (!sketch.ok()) return sketch.status();
  sketch->model->Initialize(spec.seed());
  sketch->initial_values.Apply(spec.seed(), *sketch->model);
  return std::move(sketch->model);
}

}  // namespace lockstep
