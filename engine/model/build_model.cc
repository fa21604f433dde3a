#include "engine/model/build_model.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/model/check_loss.h"
#include "engine/model/field_error.h"
#include "engine/model/machine_memory.h"
#include "engine/nn/activations.h"
#include "engine/nn/flatten.h"
#include "engine/nn/linear.h"

namespace lockstep {
namespace {

// The widest layer of job.proto.
constexpr uint32_t kMaxOutFeatures = 1u << 24;
// No count of elements in this file gets beyond this: sums and products of two
// axes (at most 2^24 wide each) stay far below 2^63.
constexpr int64_t kMaxElements = int64_t{1} << 48;

// Product of the extents; nothing for an extent below 1 or too many elements.
std::optional<int64_t> CheckedElementCount(const Shape& shape) {
  int64_t count = 1;
  for (int64_t extent : shape.extents()) {
    if (extent < 1 || extent > kMaxElements / count) return std::nullopt;
    count *= extent;
  }
  return count;
}

// What walking over the layers finds.
class Planner {
 public:
  explicit Planner(const Shape& example_shape) : shape_(example_shape) {}

  absl::Status AddLayer(int index, const v1::LayerChoice& layer) {
    path_ = absl::StrCat("model[", index, "]");
    switch (layer.layer_case()) {
      case v1::LayerChoice::kLinear:
        return AddLinear(index, layer.linear());
      case v1::LayerChoice::kRelu:
        path_ += ".relu";
        return absl::OkStatus();
      case v1::LayerChoice::kTanh:
        path_ += ".tanh";
        return absl::OkStatus();
      case v1::LayerChoice::kSigmoid:
        path_ += ".sigmoid";
        return absl::OkStatus();
      case v1::LayerChoice::kFlatten:
        path_ += ".flatten";
        shape_ = Shape{shape_.element_count()};
        return absl::OkStatus();
      case v1::LayerChoice::LAYER_NOT_SET:
        break;
    }
    return FieldError(path_, "missing, want a layer: linear, relu, tanh, sigmoid or flatten");
  }

  const Shape& shape() const { return shape_; }
  // Who decides the output's width: the last linear layer, else the last layer.
  std::string WidthPath() const {
    return linear_path_.empty() ? path_ : absl::StrCat(linear_path_, ".out_features");
  }
  nn::ParameterLayout Layout() const { return nn::ParameterLayout(parameters_); }

 private:
  absl::Status AddLinear(int index, const v1::Linear& linear) {
    path_ += ".linear";
    linear_path_ = path_;
    if (linear.out_features() < 1 || linear.out_features() > kMaxOutFeatures) {
      return FieldError(
          absl::StrCat(path_, ".out_features"),
          absl::StrCat("got ", linear.out_features(), ", want 1 to ", kMaxOutFeatures));
    }
    if (shape_.rank() == 0) {
      return FieldError(path_,
                        "got input examples without axes (shape []), want at least one "
                        "axis; put a flatten layer before it");
    }
    const int64_t in = shape_.dim(-1), out = linear.out_features();
    std::vector<int64_t> extents = shape_.extents();
    extents.back() = out;
    shape_ = Shape(std::move(extents));
    elements_ += CheckedElementCount(Shape{out, in}).value_or(kMaxElements);
    if (elements_ >= kMaxElements || !CheckedElementCount(shape_).has_value()) {
      return FieldError(path_, absl::StrCat("got ", in, " inputs and ", out,
                                            " outputs, want fewer than 2^48 parameters and "
                                            "outputs in all"));
    }
    parameters_.emplace_back(absl::StrCat(index, ".weight"), Shape{out, in});
    if (!linear.has_bias() || linear.bias()) {
      parameters_.emplace_back(absl::StrCat(index, ".bias"), Shape{out});
    }
    return absl::OkStatus();
  }

  Shape shape_;
  int64_t elements_ = 0;
  std::string path_;
  std::string linear_path_;
  std::vector<std::pair<std::string, Shape>> parameters_;
};

std::shared_ptr<nn::Module> MakeLayer(const v1::LayerChoice& layer, const Shape& input) {
  switch (layer.layer_case()) {
    case v1::LayerChoice::kLinear:
      return std::make_shared<nn::Linear>(input.dim(-1), layer.linear().out_features(),
                                          !layer.linear().has_bias() || layer.linear().bias());
    case v1::LayerChoice::kRelu:
      return std::make_shared<nn::ReLU>();
    case v1::LayerChoice::kTanh:
      return std::make_shared<nn::Tanh>();
    case v1::LayerChoice::kSigmoid:
      return std::make_shared<nn::Sigmoid>();
    case v1::LayerChoice::kFlatten:
    case v1::LayerChoice::LAYER_NOT_SET:  // PlanModel refuses it
      break;
  }
  return std::make_shared<nn::Flatten>();
}

absl::Status CheckMemory(const nn::ParameterLayout& layout) {
  // The parameters that are built, those received, the next ones, a gradient.
  constexpr uint64_t kCopies = 4;
  const uint64_t bytes = static_cast<uint64_t>(layout.total_elements()) * sizeof(float);
  return CheckFitsMemory("model: training it", kCopies * bytes,
                         ReadMachineMemory().available_bytes);
}

}  // namespace

absl::StatusOr<ModelPlan> PlanModel(const v1::JobSpec& spec, const Shape& example_shape) {
  if (spec.model().empty()) return FieldError("model", "got no layers, want at least one");
  if (!CheckedElementCount(example_shape).has_value()) {
    return FieldError("data", absl::StrCat("got examples of shape ", example_shape.ToString(),
                                           ", want 1 to 2^48 features"));
  }
  Planner planner(example_shape);
  for (int i = 0; i < spec.model_size(); ++i) {
    if (absl::Status status = planner.AddLayer(i, spec.model(i)); !status.ok()) return status;
  }
  if (planner.Layout().slots().empty()) {
    return FieldError("model", "got no layer with parameters, want at least one linear layer");
  }
  absl::Status status = CheckLossFits(spec, planner.shape(), planner.WidthPath());
  if (!status.ok()) return status;
  return ModelPlan{planner.shape(), planner.Layout()};
}

absl::StatusOr<Shape> OutputShape(const v1::JobSpec& spec, const Shape& example_shape) {
  absl::StatusOr<ModelPlan> plan = PlanModel(spec, example_shape);
  if (!plan.ok()) return plan.status();
  return plan->output_shape;
}

absl::StatusOr<std::unique_ptr<nn::Sequential>> BuildModel(const v1::JobSpec& spec,
                                                           const Shape& example_shape) {
  absl::StatusOr<ModelPlan> plan = PlanModel(spec, example_shape);
  if (!plan.ok()) return plan.status();
  if (absl::Status status = CheckMemory(plan->layout); !status.ok()) return status;
  auto model = std::make_unique<nn::Sequential>();
  Shape shape = example_shape;
  for (const v1::LayerChoice& layer : spec.model()) {
    std::shared_ptr<nn::Module> module = MakeLayer(layer, shape);
    absl::StatusOr<Shape> next = module->OutputShape(shape);
    if (!next.ok()) return next.status();
    shape = *std::move(next);
    model->Append(std::move(module));
  }
  model->Initialize(spec.seed());
  return model;
}

}  // namespace lockstep
