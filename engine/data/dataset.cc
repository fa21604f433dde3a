#include "engine/data/dataset.h"

#include <cmath>
#include <vector>

#include "engine/check.h"

namespace lockstep::data {

std::optional<int64_t> LabelAsClass(float label) {
  // The comparisons are false for NaN.
  if (!(label >= 0 && label < static_cast<float>(kMaxClasses))) return std::nullopt;
  if (std::floor(label) != label) return std::nullopt;
  return static_cast<int64_t>(label);
}

Batch GatherBatch(const Dataset& dataset, absl::Span<const int64_t> examples, bool integer_labels) {
  LOCKSTEP_CHECK(!integer_labels || dataset.class_count() > 0, "labels that are classes");
  const int64_t count = static_cast<int64_t>(examples.size());
  std::vector<int64_t> extents = dataset.example_shape().extents();
  extents.insert(extents.begin(), count);
  Batch batch;
  batch.features = Tensor::Empty(Shape(std::move(extents)));
  batch.labels = Tensor::Empty(Shape{count}, integer_labels ? DType::kInt64 : DType::kFloat32);
  const int64_t example_size = dataset.example_shape().element_count();
  float* features = batch.features.data<float>();
  for (int64_t i = 0; i < count; ++i) {
    dataset.CopyFeatures(examples[i], features + i * example_size);
    if (integer_labels) {
      batch.labels.data<int64_t>()[i] = dataset.ClassLabel(examples[i]);
    } else {
      batch.labels.data<float>()[i] = dataset.Target(examples[i]);
    }
  }
  return batch;
}

}  // namespace lockstep::data
