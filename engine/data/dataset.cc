#include "engine/data/dataset.h"

#include <cmath>

#include "engine/block_pool.h"
#include "engine/check.h"

namespace lockstep::data {
namespace {

Shape BatchShape(int64_t count, const Shape& one) {
  PooledVector<int64_t> extents = one.extents();
  extents.insert(extents.begin(), count);
  return Shape(std::move(extents));
}

}  // namespace

void Dataset::CopyTokens(int64_t, int64_t*) const {
  LOCKSTEP_CHECK(false, "a dataset of tokens copies them itself");
}

std::optional<int64_t> LabelAsClass(float label) {
  // The comparisons are false for NaN.
  if (!(label >= 0 && label < static_cast<float>(kMaxClasses))) return std::nullopt;
  if (std::floor(label) != label) return std::nullopt;
  return static_cast<int64_t>(label);
}

Batch GatherBatch(const Dataset& dataset, absl::Span<const int64_t> examples, bool integer_labels) {
  LOCKSTEP_CHECK(!integer_labels || dataset.class_count() > 0, "labels that are classes");
  const int64_t count = static_cast<int64_t>(examples.size());
  const bool tokens = dataset.vocabulary() != nullptr;
  Batch batch;
  batch.features = Tensor::Empty(BatchShape(count, dataset.example_shape()),
                                 tokens ? DType::kInt64 : DType::kFloat32);
  batch.labels = Tensor::Empty(BatchShape(count, dataset.label_shape()),
                               integer_labels ? DType::kInt64 : DType::kFloat32);
  if (dataset.has_weights()) batch.weights = Tensor::Empty(Shape{count});
  const int64_t example_size = dataset.example_shape().element_count();
  const int64_t label_size = dataset.label_shape().element_count();
  for (int64_t i = 0; i < count; ++i) {
    if (tokens) {
      dataset.CopyTokens(examples[i], batch.features.data<int64_t>() + i * example_size);
    } else {
      dataset.CopyFeatures(examples[i], batch.features.data<float>() + i * example_size);
    }
    if (integer_labels) {
      dataset.CopyClassLabels(examples[i], batch.labels.data<int64_t>() + i * label_size);
    } else {
      dataset.CopyTargets(examples[i], batch.labels.data<float>() + i * label_size);
    }
    if (dataset.has_weights()) batch.weights.data<float>()[i] = dataset.Weight(examples[i]);
  }
  return batch;
}

}  // namespace lockstep::data
