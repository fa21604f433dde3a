// Labelled examples in memory, and batches of them. Where they come from is
// the business of csv_dataset and idx_dataset.
#ifndef LOCKSTEP_ENGINE_DATA_DATASET_H_
#define LOCKSTEP_ENGINE_DATA_DATASET_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/types/span.h"
#include "engine/shape.h"
#include "engine/tensor.h"

namespace lockstep::data {

// One more than the greatest label that counts as a class: the widest output
// that a model can have.
inline constexpr int64_t kMaxClasses = int64_t{1} << 24;

// The class that a label names: the label itself where it is whole and in
// [0, kMaxClasses), otherwise none.
std::optional<int64_t> LabelAsClass(float label);

// Immutable once loaded. Threads: all calls from any thread.
// Requires of every call: 0 <= example < example_count().
class Dataset {
 public:
  virtual ~Dataset() = default;

  // At least 1.
  virtual int64_t example_count() const = 0;
  // Extents of one example's features; at least one element.
  virtual const Shape& example_shape() const = 0;
  // Writes the example's scaled features, example_shape().element_count() values.
  virtual void CopyFeatures(int64_t example, float* out) const = 0;
  // 1 + the greatest label where every label is a class; otherwise 0.
  virtual uint64_t class_count() const = 0;
  // Requires: class_count() > 0.
  virtual int64_t ClassLabel(int64_t example) const = 0;
  // The label as a number.
  virtual float Target(int64_t example) const = 0;
  // Where the example's label stands, for messages: "file.csv:12".
  virtual std::string LabelPlace(int64_t example) const = 0;
};

// Shapes: features [n, ...example_shape] float32; labels [n], int64 classes or
// float32 targets.
struct Batch {
  Tensor features;
  Tensor labels;
};

// The examples in the given order; any may appear more than once.
// Requires: with integer_labels, dataset.class_count() > 0.
Batch GatherBatch(const Dataset& dataset, absl::Span<const int64_t> examples, bool integer_labels);

}  // namespace lockstep::data

#endif  // LOCKSTEP_ENGINE_DATA_DATASET_H_
